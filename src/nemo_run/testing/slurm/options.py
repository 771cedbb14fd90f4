"""The options of the programs, read as getopt_long(3) reads them.

``=`` after a name takes a value, ``?`` may take one. What no job needs here is read and kept all
the same, so that a wrong spelling is refused as Slurm refuses it and a right one is not.
"""

from __future__ import annotations

from dataclasses import dataclass

_JOB = """
account=A acctg-freq= batch= bb= bbf= begin=b chdir=D cluster-constraint= clusters=M comment=
constraint=C container= contiguous core-spec=S cores-per-socket= cpu-freq= cpus-per-gpu=
cpus-per-task=c deadline= delay-boot= dependency=d distribution=m error=e exclude=x exclusive?
export= export-file= extra-node-info=B get-user-env? gid= gpu-bind= gpu-freq= gpus=G
gpus-per-node= gpus-per-socket= gpus-per-task= gres= gres-flags= hint= hold=!H input=i job-name=J
kill-on-invalid-dep= licenses=L mail-type= mail-user= mcs-label= mem= mem-bind= mem-per-cpu=
mem-per-gpu= mincpus= network= nice? no-kill?k nodefile=F nodelist=w nodes=N ntasks=n
ntasks-per-core= ntasks-per-gpu= ntasks-per-node= ntasks-per-socket= open-mode= output=o
overcommit!O oversubscribe!s partition=p power= prefer= priority= profile= propagate? qos=q
quiet!Q reboot reservation= signal= sockets-per-node= spread-job switches= thread-spec=
threads-per-core= time=t time-min= tmp= uid= use-min-nodes verbose!v version!V wait-all-nodes=
wckey= help!h usage
"""
_SBATCH = "array=a ignore-pbs no-requeue parsable requeue test-only wait!W wrap= export-file="
_SRUN = """
bcast? compress? cpu-bind= debugger-test disable-status!X epilog= exact external-launcher
het-group= immediate?I interactive jobid= job-id= kill-on-bad-exit?K label!l max-threads= mpi=
msg-timeout= multi-prog no-allocate!Z overlap preserve-env!E prolog= pty pack-group= relative=r
resv-ports? send-libs? slurmd-debug= task-epilog= task-prolog= test-only threads= unbuffered!u
wait=W whole x11? tres-per-task= container-image= container-mounts= container-workdir=
container-name= container-save= container-mount-home no-container-mount-home container-remap-root
no-container-remap-root container-entrypoint no-container-entrypoint container-entrypoint-log
container-env= container-writable container-readonly
"""
_SALLOC = "bell no-bell no-shell immediate?I kill-command? wait-all-nodes= x11?"
_TABLES = {
    # A batch job takes the container options of srun too (pyxis registers both).
    "sbatch": _JOB + _SBATCH + _SRUN[_SRUN.index("container-image") :],
    "srun": _JOB + _SRUN,
    "salloc": _JOB + _SALLOC + _SRUN[_SRUN.index("container-image") :],
    "squeue": """
        account=A all!a array!r array-unique clusters=M federation format=o Format=O help hide
        iterate=i job=j jobs=j json licenses=L local long!l me name=n noconvert node=w
        nodelist=w noheader!h partition=p priority!P qos=q reservation=R sibling sort=S start
        state=t states=t step?s steps?s usage user=u users=u verbose!v version!V yaml help
    """,
    "sacct": """
        account=A accounts=A allclusters!L allusers!a array batch-script!B brief!b clusters=M
        cluster=M completion!c constraints=C delimiter= duplicates!D endtime=E env-vars
        federation file=f flags=F format=o fields=o group=g gid=g help!h helpformat!e job=j
        jobs=j json local long!l name= ncpus=i nnodes=I noconvert nodelist=N noheader!n
        parsable!p parsable2!P partition=r partitions=r qos=q reason=R starttime=S state=s
        states=s timelimit-max=K timelimit-min=k truncate!T uid=u use-local-uid!U usage user=u
        users=u verbose!v version!V units= wckeys=W wckey=W whole-hetjob? allocations!X yaml
    """,
    "scancel": """
        account=A batch!b clusters=M ctld full!f help hurry!H interactive!i jobname=n name=n
        nodelist=w partition=p qos=q quiet!Q reservation=R sibling= signal=s state=t usage
        user=u verbose!v version!V wckey= cron help me
    """,
    "sinfo": """
        all!a bg!b clusters=M dead!d exact!e federation Format=O format=o future!F help hide
        iterate=i json list-reasons!R local long!l node!N nodes=n noconvert noheader!h
        partition=p reservation!T responding!r sort=S state=t states=t summarize!s usage
        verbose!v version!V yaml
    """,
    "scontrol": """
        all!a clusters=M cluster=M details!d federation!F future help!h hide local!L oneliner!o
        quiet!Q sibling uid=u usage verbose!v version!V
    """,
}


class Unknown(Exception):  # noqa: N818  (a refusal that the client prints)
    """An option that the program does not have; the text is what it says."""


@dataclass(frozen=True)
class Options:
    """The options of one program: long name to whether it takes a value, short to long."""

    values: dict[str, str]
    short: dict[str, str]


_read: dict[str, Options] = {}


def table(program: str) -> Options:
    """Return a program's options."""
    if program not in _read:
        values, short = {}, {}
        for word in _TABLES[program].split():
            mark = next((at for at, letter in enumerate(word) if letter in "=?!"), len(word))
            name, kind, letter = word[:mark], word[mark : mark + 1], word[mark + 1 :]
            if letter.startswith("!"):
                kind, letter = "!", letter[1:]
            values[name] = kind if kind in {"=", "?"} else "!"
            if letter:
                short[letter] = name
        _read[program] = Options(values, short)
    return _read[program]


def parse(
    program: str, words: list[str], *, mixed: bool = False
) -> tuple[dict[str, str], list[str]]:
    """Return a command line's options by long name, and the words that are none.

    Args:
        program: Whose.
        words: The command line, without the program.
        mixed: Options may follow other words (squeue, scancel); else the first word ends them.

    Raises:
        Unknown: There is no such option.
    """
    found: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            return found, rest + words[at:]
        if word.startswith("--"):
            at = _long(program, word[2:], words, at, found)
        elif word.startswith("-") and len(word) > 1:
            at = _short(program, word[1:], words, at, found)
        else:
            rest.append(word)
            if not mixed:
                return found, rest + words[at:]
    return found, rest


def _long(program: str, word: str, words: list[str], at: int, found: dict[str, str]) -> int:
    options = table(program)
    name, equals, value = word.partition("=")
    if name not in options.values:
        near = [known for known in options.values if known.startswith(name)]
        if len({_target(options, known) for known in near}) > 1:
            raise Unknown(f"{program}: option '--{name}' is ambiguous")
        if not near:
            raise Unknown(f"{program}: unrecognized option '--{name}'")
        name = near[0]
    kind = options.values[name]
    name = _target(options, name)
    if kind == "=" and not equals:
        if at >= len(words):
            raise Unknown(f"{program}: option '--{name}' requires an argument")
        value, at = words[at], at + 1
    found[name] = value
    return at


# Two spellings of one thing.
_SAME = {
    "jobs": "job",
    "states": "state",
    "users": "user",
    "steps": "step",
    "nodelist": "nodelist",
    "accounts": "account",
    "cluster": "clusters",
    "fields": "format",
    "partitions": "partition",
    "uid": "user",
    "jobname": "name",
    "job-id": "jobid",
    "pack-group": "het-group",
}


def _target(options: Options, name: str) -> str:
    other = _SAME.get(name, name)
    return other if other in options.values else name


def _short(program: str, letters: str, words: list[str], at: int, found: dict[str, str]) -> int:
    options = table(program)
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in options.short:
            raise Unknown(f"{program}: invalid option -- '{letter}'")
        name = options.short[letter]
        kind, name = options.values[name], _target(options, name)
        if kind == "!":
            found[name] = ""
            continue
        if kind == "=" and not letters:
            if at >= len(words):
                raise Unknown(f"{program}: option requires an argument -- '{letter}'")
            letters, at = words[at], at + 1
        found[name] = letters.removeprefix("=") if kind == "?" else letters
        break
    return at


def script_directives(script: str) -> list[list[str]]:
    """Return the words of a script's ``#SBATCH`` lines, one list a component.

    Slurm reads them up to the first line that is neither empty nor a comment (sbatch(1)).
    """
    import shlex

    components: list[list[str]] = [[]]
    for line in script.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            break
        if not line.startswith("#SBATCH"):
            continue
        words = shlex.split(line[len("#SBATCH") :], comments=True)
        if words in (["hetjob"], ["packjob"]):
            components.append([])
        else:
            components[-1].extend(words)
    return components


def components(words: list[str]) -> list[list[str]]:
    """Split a command line at its colons: the components of a heterogeneous job."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == ":":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts
