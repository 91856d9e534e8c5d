"""What the microscope does: projections of molecules, and the Fourier space of their images."""
