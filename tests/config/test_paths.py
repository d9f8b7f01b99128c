from pathlib import Path

from cxrkit import config


def test_paths_stay_as_written_until_they_are_located(load, tmp_path):
    text = """
    [run]
    output = "runs/x"
    [data]
    root = "images"
    external = { other = "../other" }
    [[task]]
    name = "a"
    model = "resnet18"
    [[task]]
    name = "vendor"
    predictions = { test = "vendor.csv", val = "v.csv" }
    labels = { test = "truth.csv" }
    """
    configuration = load(text)
    assert configuration.data.root == "images"
    located = config.located(configuration, tmp_path / "tasks.toml")
    assert located.run.output == str(tmp_path / "runs" / "x")
    assert located.data.root == str(tmp_path / "images")
    assert located.data.external == {"other": str(tmp_path / ".." / "other")}
    assert located.task[1].predictions == {"test": str(tmp_path / "vendor.csv"), "val": str(tmp_path / "v.csv")}
    assert located.task[1].labels == {"test": str(tmp_path / "truth.csv")}


def test_a_relative_toml_gives_absolute_paths_and_absolute_ones_stay(load, tmp_path, monkeypatch, small):
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    configuration = load(small, sets=[f"data.root={elsewhere.as_posix()}"])
    located = config.located(configuration, Path("tasks.toml"))
    assert Path(located.data.root) == elsewhere
    assert located.run.output == str(tmp_path / "runs" / "cxrkit")
    assert located.data.manifest is None


def test_templates_logo_and_options_of_the_report_are_relative_to_the_toml(load, tmp_path, small):
    (tmp_path / "letter.txt").touch()
    text = (
        small
        + """
    [report]
    templates = "house"
    logo = "../logo.svg"
    sections = [{ use = "letter", file = "letter.txt" }, "note"]
    """
    )
    report = config.located(load(text), tmp_path / "tasks.toml").report
    assert (report.templates, report.logo) == (str(tmp_path / "house"), str(tmp_path / ".." / "logo.svg"))
    assert [one.options for one in report.sections] == [{"file": str(tmp_path / "letter.txt")}, {}]
