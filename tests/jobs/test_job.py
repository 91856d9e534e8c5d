"""What `open_job` finds, in every format and in every place it may lie."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job

Maker = Callable[..., Path]
COUNTS = [40, 0, 25, 60, 5, 12]


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_relion_folder_gives_averages_counts_resolution_and_mask(relion_job: Path) -> None:
    job = open_job(relion_job)
    assert (job.program, job.name, job.box) == ("relion", "Class2D/job012", 32)
    assert job.classes.number.tolist() == [1, 2, 3, 4, 5, 6]
    assert job.classes.particles.tolist() == COUNTS
    assert job.total_particles == 142
    assert job.classes.resolution_angstrom[0] == 11
    assert np.isnan(job.classes.resolution_angstrom[1])  # RELION writes inf for an empty class
    assert job.pixel_size_angstrom == 3
    assert job.mask_radius_px == 80 / 3 / 2
    assert set(job.files) == {"optimiser", "model", "data", "averages"}


@pytest.mark.parametrize("name", ["optimiser.star", "model.star", "classes.mrcs", "data.star"])
def test_any_file_of_an_iteration_stands_for_it(relion_job: Path, name: str) -> None:
    job = open_job(relion_job / f"run_it025_{name}")
    assert job.classes.particles.tolist() == COUNTS
    assert job.mask_diameter_angstrom == 80


def test_averages_stay_on_disk_and_cannot_be_changed(relion_job: Path) -> None:
    averages = open_job(relion_job).averages
    assert isinstance(averages, np.memmap)
    assert not averages.flags.writeable


def test_the_last_iteration_is_taken_also_of_a_continued_run(relion_job: Path) -> None:
    for file in list(relion_job.iterdir()):
        shutil.copy(file, relion_job / file.name.replace("run_it025", "run_ct25_it030"))
    for file in relion_job.glob("run_ct25_it030_*.star"):
        replace_in(file, "run_it025", "run_ct25_it030") if "data" not in file.name else None
    assert open_job(relion_job).files["model"].name == "run_ct25_it030_model.star"


def test_pixel_size_may_stand_only_in_the_optics_table(relion_job: Path) -> None:
    replace_in(relion_job / "run_it025_model.star", "_rlnPixelSize ", "_rlnElsewhere ")
    replace_in(relion_job / "run_it025_data.star", " 3.0 ", " 2.5 ")
    assert open_job(relion_job).pixel_size_angstrom == 2.5


def test_without_an_optimiser_only_the_mask_is_unknown(relion_job: Path) -> None:
    (relion_job / "run_it025_optimiser.star").unlink()
    job = open_job(relion_job)
    assert job.mask_diameter_angstrom is None
    assert job.mask_radius_px is None
    assert job.total_particles == 142


def test_relion_5_extras_and_vdam_names_are_read(relion_job: Path) -> None:
    for file in list(relion_job.iterdir()):
        new = relion_job / file.name.replace("it025", "it200")
        if file.suffix == ".star":
            text = file.read_text().replace("it025", "it200").replace("# version 30001", "# version 50001")
            text = text.replace("_rlnNrClasses", "_rlnNrOpticsGroups 1\n_rlnNrClasses")
            new.write_text(
                text.replace("_rlnCurrentIteration", "_rlnDoGradientRefine 1\n_rlnCurrentIteration")
            )
            file.unlink()
        else:
            file.rename(new)
    job = open_job(relion_job)
    assert (job.total_particles, job.mask_diameter_angstrom) == (142, 80)


def test_files_named_by_the_optimiser_are_found_from_the_project(relion_job: Path) -> None:
    elsewhere = relion_job.parent.parent / "Class2D/job012/data"
    elsewhere.mkdir()
    shutil.move(relion_job / "run_it025_data.star", elsewhere / "other.star")
    optimiser = relion_job / "run_it025_optimiser.star"
    replace_in(optimiser, "Class2D/job012/run_it025_data.star", "Class2D/job012/data/other.star")
    assert open_job(relion_job).files["data"] == elsewhere / "other.star"


def test_a_3d_classification_is_refused(relion_job: Path) -> None:
    model = relion_job / "run_it025_model.star"
    lines = model.read_text().splitlines()
    lines = ["_rlnReferenceDimensionality 3" if "ReferenceDimensionality" in line else line for line in lines]
    model.write_text("\n".join(lines))
    with pytest.raises(InputError, match="give a 2D classification"):
        open_job(relion_job)


def test_counts_agree_with_the_truth_of_real_relion_jobs(shared: Path) -> None:
    for folder in sorted((shared / "data/relion_jobs").glob("job*"))[:6]:
        with (folder / "truth.tsv").open() as file:
            truth = [int(row["n_particles"]) for row in csv.DictReader(file, delimiter="\t")]
        assert open_job(folder).classes.particles.tolist() == truth


def test_a_cryosparc_class_is_its_image_index_plus_one(cryosparc_job: Path) -> None:
    job = open_job(cryosparc_job)
    assert (job.program, job.name) == ("cryosparc", "J12")
    assert job.files["templates"].name == "J12_020_class_averages.cs"  # the last iteration
    assert job.files["passthrough"].name == "J12_passthrough_particles.cs"
    assert job.classes.number.tolist() == [1, 2, 3, 4, 5, 6]  # the file has them in reverse
    assert job.classes.particles.tolist() == COUNTS
    assert job.classes.resolution_angstrom.tolist() == [10, 11, 12, 13, 14, 15]
    assert job.pixel_size_angstrom == 3
    assert job.mask_diameter_angstrom is None


@pytest.mark.parametrize("name", ["J12_020_class_averages.cs", "J12_020_class_averages.mrc"])
def test_either_file_of_a_cryosparc_iteration_stands_for_it(cryosparc_job: Path, name: str) -> None:
    assert open_job(cryosparc_job / name).classes.particles.tolist() == COUNTS


def test_cryosparc_may_have_fewer_classes_than_images(
    tmp_path: Path, make_cryosparc: Maker, make_blobs: Callable[..., np.ndarray]
) -> None:
    folder = make_cryosparc(tmp_path / "J7", make_blobs(4), [20, 20, 20, 0], job="J7")
    path = folder / "J7_020_class_averages.cs"
    rows = np.load(path)
    with path.open("wb") as file:
        np.save(file, rows[1:])  # reversed order: the class of image 4 is gone
    job = open_job(folder)
    assert job.classes.number.tolist() == [1, 2, 3]
    assert len(job.averages) == 3


@pytest.mark.parametrize(
    "text",
    [
        '{"params_spec": {"class2D_window_inner_A": {"value": 140}}}',  # to version 4
        '{"spec": {"params": {"class2D_window_inner_A": 140}}}',  # 5
    ],
)
def test_the_mask_that_was_typed_in_cryosparc_is_found(cryosparc_job: Path, text: str) -> None:
    (cryosparc_job / "job.json").write_text(text)
    assert open_job(cryosparc_job).mask_diameter_angstrom == 140


def assert_holds(job: ClassJob, images: np.ndarray) -> None:
    assert job.program == "images"
    assert job.averages.dtype == np.float32
    assert np.array_equal(job.averages, images)
    assert job.total_particles is None


def test_an_mrc_stack_has_no_counts(stack: Path, make_blobs: Callable[..., np.ndarray]) -> None:
    job = open_job(stack)
    assert_holds(job, make_blobs(6))
    assert job.pixel_size_angstrom == 3


def test_a_big_endian_mrc_that_says_so_is_read(
    tmp_path: Path, make_mrc: Maker, make_blobs: Callable[..., np.ndarray]
) -> None:
    assert_holds(open_job(make_mrc(tmp_path / "old.mrc", make_blobs(3).astype(">f4"))), make_blobs(3))


def test_eman2_hdf_is_read_in_numeric_order_with_its_counts(
    tmp_path: Path, make_blobs: Callable[..., np.ndarray]
) -> None:
    images = make_blobs(12)
    with h5py.File(tmp_path / "classes.hdf", "w") as file:
        for i, image in enumerate(images):
            group = file.create_group(f"MDF/images/{i}")
            group["image"] = image
            group.attrs["EMAN.apix_x"], group.attrs["EMAN.ptcl_repr"] = 1.8, 10 * i
    job = open_job(tmp_path / "classes.hdf")
    assert np.array_equal(job.averages, images)
    assert job.pixel_size_angstrom == pytest.approx(1.8)
    assert job.classes.particles.tolist() == [10 * i for i in range(12)]


def test_tiff_and_a_folder_of_png_are_read(tmp_path: Path, make_blobs: Callable[..., np.ndarray]) -> None:
    images = make_blobs(11)
    tifffile.imwrite(tmp_path / "classes.tif", images)
    assert_holds(open_job(tmp_path / "classes.tif"), images)
    eight_bit = np.clip(40 * images + 60, 0, 255).astype(np.uint8)
    (tmp_path / "png").mkdir()
    for i, image in enumerate(eight_bit, 1):
        Image.fromarray(image).save(tmp_path / f"png/class_{i}.png")
    assert_holds(open_job(tmp_path / "png"), eight_bit)  # class_10 comes behind class_9
