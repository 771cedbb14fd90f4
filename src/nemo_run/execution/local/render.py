"""From a :class:`JobSpec` to the shell script that runs it on this machine. Pure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.execution.backend import Artifact
from nemo_run.execution.quoting import is_variable, quote, words
from nemo_run.execution.secrets import exports

from . import layout

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec, Member
    from nemo_run.execution.local.layout import Process

GRACE = 10.0
"""Seconds between the request to end and the end by force."""

_TOOL = str(Path(__file__).parent.with_name("processes.py"))

_HEAD = """\
#!/bin/sh
# Job {job} of experiment {experiment}, attempt {attempt}. Written by NeMo Run.
#
#   sh launch.sh ['NAME=value' ...]     variables whose names a shell cannot hold

attempt={folder}
logs={logs}
"""

_RECORD = """
# Overwrites a record in place: it has its room on the disk, which may be full by now.
record() {
    printf '%-94s.\\n' "$2" 1<>"$1"
}

finish() {
    record "$attempt/exit" "exit $1 $2"
    exit "$1"
}
"""

_PREVIOUS = """\
# How the attempt before this one ended; one that was lost has written nothing down.
export NEMORUN_PREVIOUS_END=unknown
if read -r word _ 2>/dev/null <{record} && [ "$word" = exit ]; then NEMORUN_PREVIOUS_END=failed; fi
"""

_CLAIM = """
# Who we are. A process id alone would not tell: ids are used again.
start=''
boot=''
machine=''
start_time() {
    shift 19
    start=$1
}
if [ -r "/proc/$$/stat" ]; then
    read -r stat <"/proc/$$/stat"
    # shellcheck disable=SC2086
    start_time ${stat##*) }
    read -r boot </proc/sys/kernel/random/boot_id
    [ ! -r /etc/machine-id ] || read -r machine </etc/machine-id || machine=''
else
    start=$(LC_ALL=C ps -o lstart= -p $$)
    boot=$(sysctl -n kern.bootsessionuuid)
fi

# This attempt runs once: whoever makes the file runs it.
set -C
{ true >"$attempt/claim"; } 2>/dev/null || {
    echo "$attempt/claim cannot be made: the attempt runs already, or the disk is full." >&2
    exit 96
}
set +C
printf '%s\\n' "$$" "$start" "$boot" "$NEMORUN_TOKEN" "$machine" >"$attempt/claim" || {
    rm -f "$attempt/claim"
    exit 96
}
umask "${NEMORUN_UMASK:-$(umask)}"

# Asked to end, we wait for the processes and write down how they ended.
trap : HUP INT TERM
unset NEMORUN_LEADER NEMORUN_UMASK
"""

_SECRETS = """
# The secrets come on standard input, from a file without a name. They are exported to the processes
# of the task only.
eval "$(cat)"
exec </dev/null
"""

_CODE = """
# The code, as it was when the experiment was written down; later attempts find it here.
code={code}
if [ ! -e "$code" ]; then
    rm -rf "$code.new"
    mkdir "$code.new" && tar -xf {tar} -C "$code.new" && mv "$code.new" "$code" ||
        finish 1 'the code could not be unpacked'
fi
"""

_ONE = """
({call} "$@") </dev/null >>{log} 2>&1
finish $?
"""

_RUN = """
# Runs a process, writes down how it ended and says so.
#   run <function> <rank> <local rank> <node rank> <record> <log> <role> <title> [NAME=value ...]
run() {
    trap : HUP INT TERM
    record=$5 log=$6 role=$7 title=$8
    function=$1 rank=$2 local_rank=$3 node_rank=$4
    shift 8
    ("$function" "$rank" "$local_rank" "$node_rank" "$@") </dev/null >>"$log" 2>&1 3>&-
    code=$?
    record "$record" "exit $code"
    echo "$code $role $title" >&3
}

# Ends what still runs, with all that it started.
stop() {
    : >"$attempt/stopped"
    {python} -I -S {tool} stop "$NEMORUN_TOKEN" {grace} $$ || kill -TERM 0
}
"""

_DECIDE = """\
} 3>&1 | (
    # {policy}
    trap '' HUP INT TERM
    left={mains} code=0 by=''
    while read -r ended role title; do
        [ "$role" = main ] && [ -z "$by" ] || continue
        left=$((left - 1))
        if [ "$ended" -ne 0 ]; then
            code=$ended by=$title
            stop
        elif [ "$left" -eq 0 ]; then
            by=$title{sidecars}
        fi
    done
    if [ -z "$by" ]; then
        code=1 by='a process that nobody saw end'
        stop
    fi
    finish "$code" "$by"
)
"""

_POLICIES = {
    "all": "The first process that fails decides, and the others are ended; else all have to end.",
    "main": "The main processes decide; when they have ended, or one failed, the others are ended.",
}


def render(spec: JobSpec) -> tuple[Artifact, ...]:
    """Return the script that runs a job, as the one file that is sent beside the task's own.

    Args:
        spec: The job.
    """
    path = f"{layout.attempt_folder(spec)}/{layout.SCRIPT}"
    content = script(spec).encode("utf-8", "surrogateescape")
    return (Artifact(path, content, mode=0o700, language="sh"),)


def script(spec: JobSpec) -> str:
    """Return the shell script that runs a job.

    Args:
        spec: The job.
    """
    processes = layout.processes(spec)
    parts = [
        _HEAD.format(
            job=_comment(spec.job),
            experiment=_comment(spec.experiment),
            attempt=spec.attempt,
            folder=quote(layout.attempt_folder(spec)),
            logs=quote(f"{spec.directory}/logs/{spec.attempt}"),
        ),
        _RECORD,
        _exports(_job_variables(spec)),
        _previous_end(spec),
        _CLAIM,
        _SECRETS if spec.secrets else "",
        _code(spec),
        *(_member(spec, index, member) for index, member in enumerate(spec.members)),
        _single(spec, processes[0]) if len(processes) == 1 else _several(spec, processes),
    ]
    return "".join(parts)


def _code(spec: JobSpec) -> str:
    """Return the lines that put the code of a job into its folder."""
    if not spec.code:
        return ""
    tar = layout.code_archive(spec)
    return _CODE.format(code=quote(layout.code_folder(spec)), tar=quote(tar))


def _comment(text: str) -> str:
    return text.encode("unicode_escape").decode()


def _job_variables(spec: JobSpec) -> dict[str, str]:
    return {
        "NEMORUN_TOKEN": spec.token,
        "NEMORUN_EXPERIMENT_ID": spec.experiment,
        "NEMORUN_JOB": spec.job,
        "NEMORUN_ATTEMPT": str(spec.attempt),
        "NEMORUN_JOB_DIR": spec.directory,
    }


def _previous_end(spec: JobSpec) -> str:
    """Return the lines that tell the task how the attempt before this one ended."""
    if spec.attempt == 1:
        return "export NEMORUN_PREVIOUS_END=''\n"
    record = f"{spec.directory}/attempts/{spec.attempt - 1}/{layout.EXIT}"
    return _PREVIOUS.format(record=quote(record))


def _exports(variables: dict[str, str], indent: str = "") -> str:
    return "".join(f"{indent}export {name}={quote(value)}\n" for name, value in variables.items())


def _member(spec: JobSpec, index: int, member: Member) -> str:
    own = {n: v for n, v in member.environment.items() if is_variable(n)}
    odd = [f"{n}={v}" for n, v in member.environment.items() if not is_variable(n)]
    facts = {
        "NEMORUN_MEMBER": member.name,
        "NEMORUN_ATTEMPT_DIR": layout.member_folder(spec, member),
        "NEMORUN_LOG_DIR": layout.log_folder(spec, member),
        "NEMORUN_OUTPUT_DIR": layout.output_folder(member),
        "NEMORUN_METRICS_FILE": layout.metrics_file(member),
        "WORLD_SIZE": str(member.nodes * member.processes_per_node),
        "LOCAL_WORLD_SIZE": str(member.processes_per_node),
    }
    through = f'env "$@" {words(odd)} ' if odd else '${1:+env} "$@" '
    return (
        f"\n# {_comment(member.name)}\n{_port(spec, index, member)}"
        f"member_{index}() {{\n"
        f"{_exports(own, '    ')}"
        f"{_exports(facts, '    ')}"
        f"{''.join(f'    {line}{chr(10)}' for line in exports(member))}"
        f"{_meeting(spec, index, member)}"
        f'    export RANK="$1" LOCAL_RANK="$2" NODE_RANK="$3"\n'
        f"    shift 3\n"
        f"    cd {quote(member.working_directory)} || exit\n"
        f"    exec {through}{words(member.command)}\n"
        f"}}\n"
    )


def _needs_port(spec: JobSpec, member: Member) -> bool:
    if len(layout.nodes_here(spec, member)) < member.nodes:
        # The nodes meet where the environment of the launcher says.
        return False
    several = member.nodes * member.processes_per_node > 1
    return several and member.ranks_per_process == 1 and "MASTER_PORT" not in member.environment


def _port(spec: JobSpec, index: int, member: Member) -> str:
    if not _needs_port(spec, member):
        return ""
    ask = words([sys.executable, "-I", "-S", _TOOL, "port"])
    return f"port_{index}=$({ask}) || finish 1 'no free port'\n"


def _meeting(spec: JobSpec, index: int, member: Member) -> str:
    if not _needs_port(spec, member):
        return ""
    address = "" if "MASTER_ADDR" in member.environment else "    export MASTER_ADDR=127.0.0.1\n"
    return f'{address}    export MASTER_PORT="$port_{index}"\n'


def _single(spec: JobSpec, process: Process) -> str:
    call = f"member_0 {process.rank} {process.local_rank} {process.node_rank}"
    return _ONE.replace("{call}", call).replace("{log}", _log(spec, process))


def _log(spec: JobSpec, process: Process) -> str:
    name = f"rank-{process.first_rank}.log"
    inside = f"{process.member.name}/{name}" if layout.is_group(spec) else name
    return f'"$logs"/{quote(inside)}'


def _record(spec: JobSpec, process: Process) -> str:
    name = layout.exit_name(process)
    inside = f"{process.member.name}/{name}" if layout.is_group(spec) else name
    return f'"$attempt"/{quote(inside)}'


def _several(spec: JobSpec, processes: list[Process]) -> str:
    main = [p for p in processes if spec.policy == "all" or p.member.role == "main"]
    grace = str(spec.options.get("grace", GRACE))
    stop = words([sys.executable, "-I", "-S", _TOOL, "stop"])
    run = _RUN.replace("{python} -I -S {tool} stop", stop).replace("{grace}", grace)
    lines = " |\n".join(f"    {_run_line(spec, p, is_main=p in main)}" for p in processes)
    sidecars = "\n            stop" if len(main) < len(processes) else ""
    decide = (
        _DECIDE.replace("{policy}", _POLICIES[spec.policy])
        .replace("{mains}", str(len(main)))
        .replace("{sidecars}", sidecars)
    )
    # POSIX 2.9.3.1 on asynchronous lists.
    why = (
        "# A pipeline, because what starts with & would ignore SIGINT. Each says how it ended on 3."
    )
    return f"{run}\n{why}\n{{\n{lines}\n{decide}"


def _run_line(spec: JobSpec, process: Process, *, is_main: bool) -> str:
    who = [f"member_{process.index}", process.rank, process.local_rank, process.node_rank]
    role = "main" if is_main else "sidecar"
    return (
        f"run {words(map(str, who))} {_record(spec, process)} {_log(spec, process)} "
        f'{role} {quote(process.title)} "$@"'
    )
