"""Reads what experts selected in the past out of RELION and CryoSPARC projects; writes nothing there."""
