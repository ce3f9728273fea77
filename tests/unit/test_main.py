"""`uvicorn app.main:create_app --factory`: the entry of other ASGI servers."""

import pytest

from app.main import create_app


def test_the_file_that_foggate_config_names_is_read(tmp_path, monkeypatch):
    (tmp_path / "gateway.yaml").write_text("cloud: {base_url: 'http://127.0.0.1:9/v1', model: big}")
    monkeypatch.setenv("FOGGATE_CONFIG", str(tmp_path / "gateway.yaml"))
    assert create_app().state.reloader is not None
    monkeypatch.setenv("FOGGATE_CONFIG", '""')
    create_app()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server: {prot: 80}", "foggate: unknown setting 'server.prot'; did you mean 'server.port'?\n"),
        ("policy: {calibration: none.json}", "none.json"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_one_sentence_and_no_traceback(text, says, tmp_path, monkeypatch, capsys):
    path = tmp_path / "gateway.yaml"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("FOGGATE_CONFIG", str(path))
    with pytest.raises(SystemExit) as ended:
        create_app()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
