"""Where profiles are looked for, and where they are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nemo_run.exceptions import OverrideError
from nemo_run.execution.profile_files import places as looked_for
from nemo_run.execution.profile_files import read_layers
from profile_places import Places, make_places

ONE = '[executors.one]\nexecutor = "local"\n'


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return make_places(tmp_path, monkeypatch)


def read(folder: Path | None = None) -> list[tuple[str, str]]:
    """Return whose files have profiles, and where these are."""
    return [(layer.name, layer.file) for layer in read_layers(folder) if layer.data]


def test_site_user_project_in_this_order(places: Places) -> None:
    project, user, site = places.of_project(ONE), places.user(ONE), places.site(ONE)
    assert read() == [("site", str(site)), ("user", str(user)), ("project", str(project))]


def test_without_any_file_there_are_no_profiles(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEMORUN_SITE_CONFIG", "")
    assert read_layers() == []


def test_the_site_file_has_a_fixed_place_unless_a_variable_names_another(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEMORUN_SITE_CONFIG")
    assert str(looked_for()[0].path) == "/etc/nemo-run/nemo-run.toml"
    monkeypatch.setenv("NEMORUN_SITE_CONFIG", str(places.root / "gone.toml"))
    with pytest.raises(OverrideError, match=r"NEMORUN_SITE_CONFIG names .*gone\.toml"):
        read_layers()


def test_the_users_file_follows_xdg(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    home = places.root / "home" / "ada"
    assert looked_for()[1].path == home / ".config" / "nemo-run" / "nemo-run.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(places.root / "xdg"))
    assert looked_for()[1].path == places.root / "xdg" / "nemo-run" / "nemo-run.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert looked_for()[1].path == home / ".config" / "nemo-run" / "nemo-run.toml"


def test_a_table_of_pyproject_is_the_projects(places: Places) -> None:
    file = places.of_project(
        '[project]\nname = "x"\ndescription = "${not.ours}"\n[tool.nemo-run.executors.one]\n'
        'executor = "local"\n',
        "pyproject.toml",
    )
    [layer] = [layer for layer in read_layers() if layer.data]
    assert (layer.name, layer.file) == ("project", str(file))
    assert layer.data == {"executors": {"one": {"executor": "local"}}}


def test_the_nearest_file_of_the_project_counts(places: Places) -> None:
    outer = places.of_project(ONE)
    deep = places.project / "packages" / "a" / "src"
    deep.mkdir(parents=True)
    (places.project / "packages" / "a" / "pyproject.toml").write_text('[project]\nname = "a"\n')
    assert read(deep) == [("project", str(outer))]
    inner = places.project / "packages" / "a" / "nemo-run.toml"
    inner.write_text(ONE)
    assert read(deep) == [("project", str(inner))]


def test_nothing_above_the_project_is_read(places: Places) -> None:
    """Neither what lies beside the project, nor what somebody put into /tmp."""
    (places.project.parent / "nemo-run.toml").write_text(ONE)
    assert read() == []
    assert read(places.project.parent) == [
        ("project", str(places.project.parent / "nemo-run.toml"))
    ]
    loose = places.root / "shared" / "scratch"
    loose.mkdir(parents=True)
    (places.root / "shared" / "nemo-run.toml").write_text(ONE)
    assert read(loose) == []


def test_the_search_ends_at_home(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    (places.root / "home" / ".git").mkdir()
    (places.root / "home" / "nemo-run.toml").write_text(ONE)
    folder = places.root / "home" / "ada" / "notes"
    folder.mkdir()
    assert read(folder) == []


def test_a_home_that_is_a_link_ends_the_search_too(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places.root / "home" / "nemo-run.toml").write_text(ONE)
    (places.root / "home" / ".git").mkdir()
    (places.root / "link").symlink_to(places.root / "home" / "ada")
    monkeypatch.setenv("HOME", str(places.root / "link"))
    folder = places.root / "home" / "ada" / "notes"
    folder.mkdir()
    assert read(folder) == []


def test_a_folder_that_is_gone_has_no_project(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = places.user(ONE)
    gone = places.root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read() == [("user", str(user))]


def test_windows_editors_may_have_written_it(places: Places) -> None:
    file = places.project / "nemo-run.toml"
    file.write_bytes(b"\xef\xbb\xbf" + ONE.replace("\n", "\r\n").encode())
    assert read() == [("project", str(file))]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_home_that_may_not_be_entered_is_nobodys(places: Places) -> None:
    """In a container HOME is often root's, and the process is not."""
    places.user(ONE)
    (places.root / "home" / "ada").chmod(0o700)
    code = (
        "import os\n"
        "from nemo_run.execution.profile_files import read_layers\n"
        "os.environ['NEMORUN_SITE_CONFIG'] = ''\n"
        "names = lambda: [layer.name for layer in read_layers()]\n"
        "print(names())\n"
        "os.setuid(65534)\n"
        "print(names())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "['user']\n[]\n"), done.stderr


def test_two_files_of_one_folder_are_one_too_many(places: Places) -> None:
    places.of_project(ONE)
    places.of_project('[tool.nemo-run]\ndefault_executor = "one"\n', "pyproject.toml")
    with pytest.raises(OverrideError, match="keep one of them"):
        read_layers()


def test_what_is_no_toml_is_said_with_its_line(places: Places) -> None:
    file = places.of_project('[executors.one]\nexecutor = "local\n')
    with pytest.raises(OverrideError, match=rf"{file}:2: "):
        read_layers()


def test_a_file_that_is_no_text_or_no_file(places: Places) -> None:
    (places.project / "nemo-run.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(OverrideError, match="not UTF-8"):
        read_layers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_strangers_file_where_everybody_can_write_is_skipped(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """Working in /tmp must not run what somebody else left there."""
    folder = places.root / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "nemo-run.toml").write_text(ONE)
    assert read(folder) == [("project", str(folder / "nemo-run.toml"))]
    os.chown(folder / "nemo-run.toml", 12345, 12345)
    mine = folder / "mine"
    mine.mkdir()
    (folder / ".git").mkdir()
    for where in (folder, mine, mine):
        assert read(where) == []
    told = capsys.readouterr().err
    assert told.startswith(f"{folder / 'nemo-run.toml'} is skipped: it belongs to another user")
    assert told.count("\n") == 1
    os.mkfifo(folder / "pyproject.toml")
    os.chown(folder / "pyproject.toml", 12345, 12345)
    assert read(mine) == []
    (mine / "nemo-run.toml").write_text(ONE)
    assert read(mine) == [("project", str(mine / "nemo-run.toml"))]
    (folder / "pyproject.toml").unlink()
    folder.chmod(0o755)
    assert read(folder) == [("project", str(folder / "nemo-run.toml"))]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
@pytest.mark.parametrize("name", ["nemo-run.toml", "pyproject.toml"])
def test_a_pipe_is_no_file_with_profiles_and_nobody_waits_for_it(places: Places, name: str) -> None:
    os.mkfifo(places.project / name)
    with pytest.raises(OverrideError, match=f"{name} is no regular file"):
        read_layers()
