"""Profiles as a reader of the files understands them: layers, inheritance, typed values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import nemo_run as run
from nemo_run.exceptions import ConfigError, OverrideError
from nemo_run.execution.profile_config import config_of
from nemo_run.execution.profile_files import read_layers
from nemo_run.execution.profiles import Profiles
from profile_places import Places, make_places


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return make_places(tmp_path, monkeypatch)


def made(name: str) -> run.Executor:
    return run.executor_profile(name)


@pytest.fixture
def refused(error_snapshot: Callable[..., None], places: Places) -> Callable[..., None]:
    """Ask for a profile that cannot be had, and keep what is said."""

    def ask(case: str, name: str = "h100") -> None:
        with pytest.raises(OverrideError) as caught:
            made(name)
        error_snapshot(f"profiles: {case}", str(caught.value), {str(places.root): "<root>"})

    return ask


def test_a_table_is_an_executor(places: Places) -> None:
    places.of_project("""
        [executors.two]
        executor = "local"
        nodes = 2
        ntasks_per_node = 4
        env_vars = { NCCL_DEBUG = "INFO", "odd.name" = "a=b %$# 'c'" }
    """)
    assert made("two") == run.LocalExecutor(
        nodes=2,
        ntasks_per_node=4,
        env_vars={"NCCL_DEBUG": "INFO", "odd.name": "a=b %$# 'c'"},
    )


def test_each_call_makes_an_executor_of_its_own(places: Places) -> None:
    places.of_project('[executors.one]\nexecutor = "local"\nenv_vars = { A = "1" }')
    one, other = made("one"), made("one")
    one.env_vars["A"] = "2"
    assert other.env_vars == {"A": "1"}


def test_python_may_set_fields_on_top(places: Places) -> None:
    places.of_project('[executors.one]\nexecutor = "local"\nnodes = 3\nretries = 1')
    executor = run.executor_profile("one", nodes=2, env_vars={"A": "1"})
    assert executor == run.LocalExecutor(nodes=2, retries=1, env_vars={"A": "1"})
    with pytest.raises(ConfigError, match="nods"):
        run.executor_profile("one", nods=2)


def test_site_user_and_project_are_merged_key_by_key(places: Places) -> None:
    places.site("""
        [executors.h100]
        executor = "local"
        nodes = 1
        retries = 1
        env_vars = { SITE = "yes", WHO = "site" }
    """)
    places.user("""
        [executors.h100]
        retries = 2
        env_vars = { WHO = "user" }
    """)
    places.of_project("""
        [executors.h100]
        nodes = 4
        env_vars = { WHO = "project", PROJECT = "yes" }
    """)
    assert made("h100") == run.LocalExecutor(
        nodes=4, retries=2, env_vars={"SITE": "yes", "WHO": "project", "PROJECT": "yes"}
    )


def test_replace_begins_anew(places: Places) -> None:
    places.user('[executors.h100]\nexecutor = "local"\nnodes = 8\nenv_vars = { A = "1" }')
    places.of_project('[executors.h100]\nreplace = true\nexecutor = "local"\nretries = 1')
    assert made("h100") == run.LocalExecutor(retries=1)


def test_a_profile_inherits_from_others_in_any_layer(places: Places) -> None:
    places.site('[executors.base]\nexecutor = "local"\nnodes = 1\nenv_vars = { A = "base" }')
    places.of_project("""
        [executors.debug]
        retries = 0
        env_vars = { DEBUG = "1" }

        [executors.h100]
        extends = ["base", "debug"]
        nodes = 2
        env_vars = { A = "mine" }
    """)
    assert made("h100") == run.LocalExecutor(nodes=2, env_vars={"A": "mine", "DEBUG": "1"})


def test_of_several_the_last_wins_and_what_they_share_comes_first(places: Places) -> None:
    places.of_project("""
        [executors.base]
        executor = "local"
        nodes = 1
        retries = 1
        [executors.left]
        extends = "base"
        nodes = 2
        [executors.right]
        extends = "base"
        retries = 2
        [executors.h100]
        extends = ["left", "right"]
    """)
    assert made("h100") == run.LocalExecutor(nodes=2, retries=2)


def test_a_lattice_of_profiles_is_read_at_once(places: Places) -> None:
    """Each of 40 layers extends two that share their parents: 2 to the 40 ways to the base."""
    text = '[executors.a0]\nexecutor = "local"\n[executors.b0]\nretries = 1\n'
    for i in range(1, 40):
        for name in "ab":
            text += f'[executors.{name}{i}]\nextends = ["a{i - 1}", "b{i - 1}"]\n'
    places.of_project(text)
    assert made("a39") == run.LocalExecutor(retries=1)


def test_a_launcher_is_named_or_described(places: Places) -> None:
    places.of_project("""
        [executors.named]
        executor = "local"
        launcher = "torchrun"

        [executors.described]
        extends = "named"
        [executors.described.launcher]
        rdzv_port = 29501

        [executors.whole]
        executor = "local"
        launcher = { kind = "ft", max_restarts = 3, nsys_trace = ["cuda"] }
    """)
    assert made("named") == run.LocalExecutor(launcher="torchrun")
    assert made("described") == run.LocalExecutor(launcher=run.Torchrun(rdzv_port=29501))
    assert made("whole") == run.LocalExecutor(
        launcher=run.FaultTolerance(max_restarts=3, nsys_trace=["cuda"])
    )


def test_a_packager_is_described_too(places: Places) -> None:
    places.of_project("""
        [executors.plain]
        executor = "local"
        [executors.plain.packager]
        debug = true
        [executors.named]
        executor = "local"
        packager = { kind = "Packager", symlink_from_remote_dir = "/code" }
    """)
    assert made("plain") == run.LocalExecutor(packager=run.Packager(debug=True))
    assert made("named") == run.LocalExecutor(
        packager=run.Packager(symlink_from_remote_dir="/code")
    )


def test_a_variable_of_the_environment_is_put_in(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only when the profile is used, so that another profile may need one that is not there."""
    places.of_project("""
        [executors.one]
        executor = "local"
        nodes = "${oc.env:NODES}"
        env_vars = { WHO = "user ${oc.env:WHO,nobody}", PRICE = '\\${5}' }
        [executors.other]
        executor = "local"
        retries = "${oc.env:NOT_THERE}"
    """)
    monkeypatch.setenv("NODES", "3")
    assert made("one") == run.LocalExecutor(
        nodes=3, env_vars={"WHO": "user nobody", "PRICE": "${5}"}
    )


def test_the_history_of_each_value_names_file_and_line(places: Places) -> None:
    user = places.user('[executors.h100]\nexecutor = "local"\nnodes = 1\nretries = 1\n')
    project = places.of_project('# ours\n\n[executors.h100]\nnodes = 4\nenv_vars.A = "1"\n')
    config = config_of(Profiles(read_layers()).get("h100"))
    where = {
        name: [entry.where() for entry in entries]
        for name, entries in config.__argument_history__.items()
    }
    assert where["nodes"] == [f"file {project}:4"]
    assert where["retries"] == [f"file {user}:4"]
    assert where["env_vars"][-1] == f"file {project}:5"


def test_a_class_of_another_package_goes_by_its_place(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places.project / "their_cluster.py").write_text(
        "from dataclasses import dataclass\n"
        "import nemo_run as run\n"
        "@dataclass(kw_only=True)\n"
        "class Theirs(run.LocalExecutor):\n"
        "    queue: str = 'short'\n"
        "class NoExecutor: ...\n"
    )
    monkeypatch.syspath_prepend(places.project)
    places.of_project("""
        [executors.colon]
        executor = "their_cluster:Theirs"
        queue = "long"
        [executors.dotted]
        executor = "their_cluster.Theirs"
        [executors.wrong]
        executor = "their_cluster:NoExecutor"
    """)
    profiles = Profiles(read_layers())
    assert [profiles.get(name).kind.value for name in profiles.names] == [
        "their_cluster:Theirs", "their_cluster.Theirs", "their_cluster:NoExecutor",
    ]  # fmt: skip
    assert "their_cluster" not in sys.modules, "reading a profile runs no code"
    assert made("colon").queue == "long"
    assert made("dotted").queue == "short"
    with pytest.raises(OverrideError, match="does not derive from Executor"):
        made("wrong")
    sys.modules.pop("their_cluster")


def test_a_kind_that_a_package_installs_is_known_by_its_name(
    tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One folder and one entry point: nothing else has to know of it."""
    site = tmp_path / "site-packages"
    info = site / "their_cloud-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "their_cloud.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from nemo_run import Executor\n"
        "from nemo_run.testing import FakeBackend\n"
        "@dataclass(kw_only=True)\n"
        "class CloudExecutor(Executor):\n"
        "    backend: ClassVar[str] = 'cloud'\n"
        "    region: str = 'north'\n"
        "class CloudBackend(FakeBackend):\n"
        "    name = 'cloud'\n"
        "    executor = 'their_cloud:CloudExecutor'\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-cloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nemo_run.backends]\ncloud = their_cloud:CloudBackend\n"
    )
    monkeypatch.syspath_prepend(site)
    places.of_project('[executors.c]\nexecutor = "cloud"\nregion = "south"')
    executor = made("c")
    assert (type(executor).__name__, executor.region) == ("CloudExecutor", "south")
    sys.modules.pop("their_cloud")


@dataclass
class Mount:
    source: str
    read_only: bool = False


@dataclass
class Disk(Mount):
    size: int = 0


@dataclass
class Label:
    kind: str
    value: str = ""


@dataclass(kw_only=True)
class MountingExecutor(run.LocalExecutor):
    mounts: dict[str, Mount] = field(default_factory=dict)
    more: list[Mount] = field(default_factory=list)
    label: Label | None = None
    extra: dict[str, Any] | None = None
    wait: timedelta | None = None


def test_objects_in_dicts_and_lists_are_described_by_tables(places: Places) -> None:
    places.of_project(f"""
        [executors.h100]
        executor = "{__name__}:MountingExecutor"
        more = [{{ source = "/a" }}, {{ source = "/b", read_only = true }}]
        label = {{ kind = "a field", value = "x" }}
        extra = {{ deep = {{ er = [1, "two", {{ three = 3.0 }}] }} }}
        wait = "5m"
        [executors.h100.mounts.data]
        source = "/data"
        [executors.h100.mounts.disk]
        kind = "{__name__}:Disk"
        source = "/disk"
        size = 3
    """)
    assert made("h100") == MountingExecutor(
        mounts={"data": Mount("/data"), "disk": Disk("/disk", size=3)},
        more=[Mount("/a"), Mount("/b", read_only=True)],
        label=Label("a field", "x"),
        extra={"deep": {"er": [1, "two", {"three": 3.0}]}},
        wait=timedelta(minutes=5),
    )


def test_an_unknown_profile(places: Places, refused: Callable[..., None]) -> None:
    places.site('[executors.h100]\nexecutor = "local"\n')
    refused("unknown name", "h10")


def test_an_unknown_kind(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors.h100]\nexecutor = "locl"\n')
    refused("unknown kind")


def test_no_kind(places: Places, refused: Callable[..., None]) -> None:
    places.of_project("\n[executors.h100]\nnodes = 2\n")
    refused("no kind")


def test_an_unknown_field(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors.h100]\nexecutor = "local"\nnode = 2\n')
    refused("unknown field")


def test_a_value_that_does_not_fit(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors.h100]\nexecutor = "local"\n\nnodes = "two"\n')
    refused("wrong value")


def test_an_unknown_launcher_kind(places: Places, refused: Callable[..., None]) -> None:
    places.of_project(
        '[executors.h100]\nexecutor = "local"\nlauncher = { kind = "torchrn", rdzv_port = 1 }\n'
    )
    refused("unknown launcher")


def test_a_circle(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors.a]\nextends = "b"\n[executors.b]\nextends = "a"\n')
    refused("circle", "a")


def test_a_parent_that_is_not_there(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors.h100]\nextends = "bse"\n[executors.base]\nexecutor = "local"\n')
    refused("unknown parent")


def test_a_variable_that_is_not_set(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors.h100]\nexecutor = "local"\nnodes = "${oc.env:NO_SUCH_VAR}"\n')
    refused("unset variable")


def test_extends_that_is_no_name(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors.h100]\nexecutor = "local"\nextends = { a = 1 }\n')
    refused("extends no name")


def test_replace_that_is_neither_true_nor_false(
    places: Places, refused: Callable[..., None]
) -> None:
    places.of_project('[executors.h100]\nexecutor = "local"\nreplace = "yes"\n')
    refused("replace no flag")


def test_a_key_that_nobody_reads(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executor.h100]\nexecutor = "local"\n')
    refused("unknown key")


def test_a_profile_that_is_no_table(places: Places, refused: Callable[..., None]) -> None:
    places.of_project('[executors]\nh100 = "local"\n')
    refused("no table")
