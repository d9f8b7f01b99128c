import json

from click.testing import CliRunner

from cxrkit import config
from cxrkit.cli import cli


def test_schema_is_printed_or_written(tmp_path):
    printed = CliRunner().invoke(cli, ["schema"])
    assert json.loads(printed.output) == config.json_schema()
    path = tmp_path / "cxrkit.schema.json"
    written = CliRunner().invoke(cli, ["schema", "--output", str(path)])
    assert written.exit_code == 0
    assert json.loads(path.read_text(encoding="utf-8")) == config.json_schema()
