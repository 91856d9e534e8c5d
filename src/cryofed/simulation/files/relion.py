"""Write a simulated job as RELION 4 leaves a 2D classification: stack, model, data and optimiser."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryofed.simulation.classes.truth import SimulatedJob, Truth
from cryofed.simulation.files.stack import write_stack
from cryofed.simulation.files.star_text import loop, pairs
from cryofed.simulation.particles.table import Particles
from cryofed.simulation.spec import Spec

ITERATION = 25
TRUTH_COLUMNS = (
    "class", "n_particles", "purity", "dominant_junk", "junk_frac", "molecule", "view_coherence",
    "correlation", "frc_resolution_A", "res_ratio", "offset_A", "quality", "good", "borderline", "reason",
    "view_x", "view_y", "view_z",
)  # fmt: skip


def write_class2d(
    project: Path, name: str, spec: Spec, simulated: SimulatedJob, *, rows: Particles, stack: str
) -> Path:
    """The files of the last iteration in `project/name` (such as `Class2D/job003`), and `truth.tsv`.

    `stack` is the path of the particle images as the data file names it; the images are not written.
    Returns the optimiser file.
    """
    folder = project / name
    folder.mkdir(parents=True)
    root = f"{name}/run_it{ITERATION:03d}"
    write_stack(project / f"{root}_classes.mrcs", simulated.job.averages, spec.pixel_size_angstrom)
    (project / f"{root}_model.star").write_text(_model(root, spec, simulated, rows))
    (project / f"{root}_data.star").write_text(_optics(spec) + _rows(rows, spec, stack))
    (project / f"{root}_optimiser.star").write_text(_optimiser(name, root, spec, len(simulated.truth.good)))
    (project / f"{root}_sampling.star").write_text(_sampling(spec))
    (folder / "job.star").write_text(
        job_star("relion.class2d", {
            "ctf_intact_first_peak": "No", "do_combine_thru_disc": "No", "do_ctf_correction": "Yes",
            "do_zero_mask": "Yes", "fn_img": f"{Path(stack).parent}/particles.star",
            "nr_classes": str(len(simulated.truth.good)), "nr_iter": str(ITERATION),
            "particle_diameter": f"{spec.mask_diameter_angstrom:g}", "tau_fudge": f"{spec.tau_fudge:g}",
        })
    )  # fmt: skip
    (folder / "truth.tsv").write_text(truth_table(simulated.truth, simulated.job.classes.particles))
    (folder / "RELION_JOB_EXIT_SUCCESS").touch()
    return project / f"{root}_optimiser.star"


def job_star(label: str, options: dict[str, str]) -> str:
    """The `job.star` of a job of RELION's pipeline."""
    head = pairs("job", {"JobTypeLabel": label, "JobIsContinue": 0, "JobIsTomo": 0})
    table = {"JobOptionVariable": list(options), "JobOptionValue": list(options.values())}
    return head + loop("joboptions_values", table)


def class_columns(root: str, simulated: SimulatedJob) -> dict[str, np.ndarray | list[str]]:
    """The columns of `data_model_classes`, in class order."""
    table = simulated.job.classes
    known = np.isfinite(table.resolution_angstrom)
    return {
        "ReferenceImage": [f"{n:06d}@{root}_classes.mrcs" for n in table.number],
        "ClassDistribution": table.distribution,
        "AccuracyRotations": table.accuracy_rotation_degree,
        "AccuracyTranslationsAngst": table.accuracy_translation_angstrom,
        "EstimatedResolution": table.resolution_angstrom,
        "OverallFourierCompleteness": np.where(known, 1.0, np.nan),
        "ClassPriorOffsetX": simulated.truth.offset_angstrom * 0.1,
        "ClassPriorOffsetY": simulated.truth.offset_angstrom * -0.1,
    }


def _model(root: str, spec: Spec, simulated: SimulatedJob, rows: Particles) -> str:
    table = simulated.job.classes
    finite = table.resolution_angstrom[np.isfinite(table.resolution_angstrom)]
    general = {
        "ReferenceDimensionality": 2, "DataDimensionality": 2, "OriginalImageSize": spec.box,
        "CurrentResolution": float(finite.min(initial=999.0)), "CurrentImageSize": spec.box,
        "PaddingFactor": 2.0, "IsHelix": 0, "FourierSpaceInterpolator": 1, "MinRadiusNnInterpolation": 10,
        "PixelSize": spec.pixel_size_angstrom, "NrClasses": len(table), "NrBodies": 1,
        "NrGroups": rows.micrographs, "Tau2FudgeFactor": spec.tau_fudge, "NormCorrectionAverage": 0.65,
        "SigmaOffsetsAngst": 2 * spec.pixel_size_angstrom, "OrientationalPriorMode": 0,
        "SigmaPriorRotAngle": 0.0, "SigmaPriorTiltAngle": 0.0, "SigmaPriorPsiAngle": 0.0,
        "LogLikelihood": float(rows.log_likelihood.sum()), "AveragePmax": float(rows.probability.mean()),
    }  # fmt: skip
    parts = [pairs("model_general", general), loop("model_classes", class_columns(root, simulated))]
    shell = np.arange(spec.box // 2 + 1)
    frequency = shell / (spec.box * spec.pixel_size_angstrom)
    angstrom = np.append(999.0, 1 / frequency[1:])
    ssnr = np.asarray(simulated.ssnr, np.float64)
    for number, curve in enumerate(ssnr, start=1):
        noise = 3e-5 * np.power((shell + 2.0) / 8, -spec.noise_colour)
        parts.append(
            loop(f"model_class_{number}", {
                "SpectralIndex": shell, "Resolution": frequency, "AngstromResolution": angstrom,
                "SsnrMap": curve, "GoldStandardFsc": np.zeros(len(shell)),
                "FourierCompleteness": np.ones(len(shell)), "ReferenceSigma2": noise,
                "ReferenceTau2": curve * noise, "SpectralOrientabilityContribution": np.zeros(len(shell)),
            })
        )  # fmt: skip
    counts = np.bincount(rows.micrograph, minlength=rows.micrographs)
    parts.append(
        loop("model_groups", {
            "GroupNumber": np.arange(1, rows.micrographs + 1), "GroupName": micrographs(rows),
            "GroupNrParticles": counts, "GroupScaleCorrection": np.ones(rows.micrographs),
        })
    )  # fmt: skip
    sigma = {"SpectralIndex": shell, "Resolution": frequency, "Sigma2Noise": 3e-5 + 2e-3 * np.exp(-shell / 3)}
    return "".join(parts) + loop("model_optics_group_1", sigma)


def micrographs(rows: Particles) -> list[str]:
    """Names of the micrographs."""
    return [f"MotionCorr/job001/movies/mic_{i:05d}.mrc" for i in range(rows.micrographs)]


def _optics(spec: Spec) -> str:
    scope = spec.microscope
    return loop(
        "optics",
        {
            "OpticsGroup": np.array([1]), "OpticsGroupName": ["opticsGroup1"],
            "AmplitudeContrast": np.array([scope.amplitude_contrast]),
            "SphericalAberration": np.array([scope.aberration_mm]), "Voltage": np.array([scope.voltage_kv]),
            "ImagePixelSize": np.array([spec.pixel_size_angstrom]), "ImageSize": np.array([spec.box]),
            "ImageDimensionality": np.array([2]),
        },
    )  # fmt: skip


def _rows(rows: Particles, spec: Spec, stack: str) -> str:
    n = len(rows)
    names = micrographs(rows)
    return loop(
        "particles",
        {
            "CoordinateX": rows.x_px, "CoordinateY": rows.y_px,
            "ImageName": [f"{i:06d}@{stack}" for i in range(1, n + 1)],
            "MicrographName": [names[m] for m in rows.micrograph], "OpticsGroup": np.ones(n, np.int64),
            "DefocusU": rows.defocus_angstrom[:, 0], "DefocusV": rows.defocus_angstrom[:, 1],
            "DefocusAngle": rows.astigmatism_degree, "CtfBfactor": np.zeros(n), "CtfScalefactor": np.ones(n),
            "PhaseShift": np.zeros(n), "GroupNumber": rows.micrograph + 1, "AngleRot": np.zeros(n),
            "AngleTilt": np.zeros(n), "AnglePsi": rows.psi_degree,
            "OriginXAngst": rows.origin_angstrom[:, 0], "OriginYAngst": rows.origin_angstrom[:, 1],
            "ClassNumber": rows.class_number, "NormCorrection": np.full(n, 0.65),
            "LogLikeliContribution": rows.log_likelihood, "MaxValueProbDistribution": rows.probability,
            "NrOfSignificantSamples": np.maximum(1, np.round(3 / rows.probability)).astype(np.int64),
        },
    )  # fmt: skip


def _optimiser(name: str, root: str, spec: Spec, classes: int) -> str:
    command = (
        f"# RELION optimiser; version 4.0 (simulated by CryoFed)\n# --i particles.star --o {name}/run "
        f"--iter {ITERATION} --K {classes} --tau2_fudge {spec.tau_fudge:g} --particle_diameter "
        f"{spec.mask_diameter_angstrom:g} --ctf --zero_mask --flatten_solvent --norm --scale \n"
    )
    return command + pairs("optimiser_general", {
        "OutputRootName": f"{name}/run", "ModelStarFile": f"{root}_model.star",
        "ExperimentalDataStarFile": f"{root}_data.star",
        "OrientSamplingStarFile": f"{root}_sampling.star", "CurrentIteration": ITERATION,
        "NumberOfIterations": ITERATION, "DoSplitRandomHalves": 0, "JoinHalvesUntilThisResolution": -1.0,
        "AdaptiveOversampleOrder": 1, "AdaptiveOversampleFraction": 0.999, "RandomSeed": 1,
        "ParticleDiameter": spec.mask_diameter_angstrom, "WidthMaskEdge": round(spec.mask_edge_px),
        "DoZeroMask": 1, "DoSolventFlattening": 1, "DoSolventFscCorrection": 0, "SolventMaskName": "None",
        "SolventMask2Name": "None", "BodyStarFile": "None", "TauSpectrumName": "None",
        "MaximumCoarseImageSize": spec.box // 2, "HighresLimitExpectation": -1.0,
        "DoMapEstimation": 1, "DoStochasticGradientDescent": 0, "DoAutoRefine": 0, "DoSkipAlign": 0,
        "DoSkipRotate": 0, "DoHelicalRefine": 0, "HasConverged": 0, "DoCorrectNorm": 1, "DoCorrectScale": 1,
        "DoCorrectCtf": 1, "DoIgnoreCtfUntilFirstPeak": 0, "CtfDataArePhaseFlipped": 0,
        "DoOnlyFlipCtfPhases": 0, "RefsAreCtfCorrected": 1, "FixSigmaNoiseEstimates": 0,
        "FixSigmaOffsetEstimates": 0, "MaxNumberOfPooledParticles": 30,
    })  # fmt: skip


def _sampling(spec: Spec) -> str:
    return pairs(
        "sampling_general",
        {
            "Is3DSampling": 0, "Is3DTranslationalSampling": 0, "HealpixOrder": 1, "SymmetryGroup": "C1",
            "PsiStep": 12.0, "OffsetRange": 5 * spec.pixel_size_angstrom,
            "OffsetStep": 2 * spec.pixel_size_angstrom, "SamplingPerturbInstance": 0.0,
            "SamplingPerturbFactor": 0.5,
        },
    )  # fmt: skip


def truth_table(truth: Truth, particles: np.ndarray) -> str:
    """What is known of each class, tab-separated, one row per class."""
    lines = ["\t".join(TRUTH_COLUMNS)]
    for i, n in enumerate(particles):
        where = int(truth.molecule[i])
        coherence = np.cos(np.radians(truth.view_spread_degree[i]))
        lines.append(
            f"{i + 1}\t{n}\t{truth.purity[i]:.4f}\t{truth.junk[i]}\t{truth.junk_share[i]:.4f}\t"
            f"{truth.molecules[where] if where >= 0 else ''}\t{coherence:.4f}\t"
            f"{truth.correlation[i]:.4f}\t{truth.frc_resolution_angstrom[i]:.2f}\t"
            f"{truth.resolution_ratio[i]:.4f}\t{truth.offset_angstrom[i]:.1f}\t{truth.quality[i]:.4f}\t"
            f"{int(truth.good[i])}\t{int(truth.borderline[i])}\t{truth.reason[i]}\t"
            + "\t".join(f"{v:.4f}" for v in truth.view[i])
        )
    return "\n".join(lines) + "\n"
