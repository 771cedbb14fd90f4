"""Does one operation with Slurm on the machine that has its commands, in one round trip.

This file is sent as it is and runs there with the standard library of Python 3.6 and up:
``main(request, stdin, emit)`` is called with the request, the raw bytes that come with it, and a
function that sends a JSON value and bytes back at once; what it returns is the answer.

A job is known by the folder of its attempt on this machine. In it lie ``submitting``, the claim
of whoever asks Slurm to start it, followed by what sbatch itself said, and ``submitted``, what
came of it. The claim is locked while sbatch runs (flock(2): the lock goes over to the child), so
that nobody asks twice even if the one who asked is gone.
"""

import errno
import glob
import json
import os
import re
import stat
import subprocess
import tempfile
import threading
import time
import zlib
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

try:
    import fcntl
except ImportError:  # no POSIX system: nothing of Slurm is there either
    fcntl = None  # type: ignore[assignment]

Json = Dict[str, Any]
Emit = Callable[..., None]

AT_ONCE = 4
"""How many sbatch run side by side: slurmctld takes few requests of one user at a time."""

PATIENCE = 30.0
"""Seconds that one call goes on asking a controller that does not answer."""

QUERY = 60.0
"""Seconds that squeue, sacct or scancel may take."""

UNLOCKABLE = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP)

STALE = 900.0
"""Seconds after which a lock that is only a file was left behind: sbatch takes 600 at most."""

SUBMITTED = "submitted"
CLAIM = "submitting"

# Fixed columns, since no separator is safe in them all and old versions know no suffix
# (squeue(1), --Format).
COLUMNS = [
    ("JobArrayID", 40),
    ("State", 20),
    ("Reason", 60),
    ("RestartCnt", 8),
    ("exit_code", 12),
    ("StartTime", 24),
    ("EndTime", 24),
]


class Refused(Exception):  # noqa: N818 - what happened, not an error of ours
    """An operation cannot be done; the message is for a person."""


def main(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Do what is asked for and return the answer."""
    operation = OPERATIONS[request["op"]]
    try:
        return operation(request, stdin, emit)
    except Refused as error:
        return {"error": str(error)}


# --- Programs -----------------------------------------------------------------------------------


def environment() -> Dict[str, str]:
    """Return the environment for Slurm's commands.

    Times are asked for in UTC. Variables that filter what squeue, sacct and scancel see would hide
    jobs, so none is handed on; nor is what makes sbatch wait or an array. An account or a
    partition of the user's (SBATCH_ACCOUNT) stays a default. Of a job that this process may itself
    be part of, nothing is handed on: sbatch would take it for options (the manuals' "input
    environment variables").
    """
    keep = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT")
    hiding = ("SQUEUE_", "SACCT_", "SCANCEL_")
    inside = "SLURM_JOB_ID" in os.environ
    return {
        name: value
        for name, value in os.environ.items()
        if not (inside and name.startswith("SLURM_") and name not in keep)
        and not name.startswith(hiding)
        and name not in ("SBATCH_WAIT", "SBATCH_ARRAY_INX", "SLURM_TIME_FORMAT")
    }


def ask(command: List[str]) -> Tuple[int, str, str]:
    """Run a command of Slurm; return its status and what it printed."""
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment(), TZ="UTC0", LC_ALL="C"),
        )
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise Refused(missing(command[0])) from error
        raise Refused("%s cannot be run: %s" % (command[0], error.strerror)) from error
    try:
        out, err = child.communicate(timeout=QUERY)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return 124, "", "%s did not answer in %d seconds" % (command[0], QUERY)
    return child.returncode, text(out), text(err).strip()


def missing(program: str) -> str:
    """Return the sentence for a machine that has no Slurm."""
    return (
        "There is no %s on %s (PATH is %s). Is this a login node of the cluster? Where Slurm has "
        "to be loaded first, set the tunnel's pre_command, as in 'module load slurm'."
        % (program, os.uname().nodename, os.environ.get("PATH", ""))
    )


def text(raw: bytes) -> str:
    """Return what a program printed, whatever bytes it holds."""
    return raw.decode("utf-8", "surrogateescape")


def of_cluster(program: str, cluster: str) -> List[str]:
    """Return the beginning of a command for one cluster."""
    return [program] + (["-M", cluster] if cluster else [])


def whole(job: str) -> str:
    """Return the id of the whole of which a job may be a part: 16 of 16_3 and of 16+0."""
    return re.split(r"[_+]", job)[0]


def base(job: str) -> str:
    """Return the id that the rows of a job begin with: 16 of the components 16+0 and 16+1."""
    return job.partition("+")[0]


# --- What Slurm knows ---------------------------------------------------------------------------


def queue(cluster: str) -> List[List[str]]:
    """Return all jobs of this user that the controller still knows, one row each."""
    columns = ",".join("%s:%d" % column for column in COLUMNS)
    command = of_cluster("squeue", cluster)
    command += ["-h", "-r", "-t", "all", "-u", str(os.getuid()), "-O", columns]
    code, out, err = ask(command)
    if code:
        raise Refused("squeue failed: %s" % (err or "exit status %d" % code))
    rows = []
    for line in out.splitlines():
        row, start = [], 0
        for _, width in COLUMNS:
            row.append(line[start : start + width].strip())
            start += width
        if re.match(r"\d", row[0]):
            rows.append(row)
    return rows


def accounts(cluster: str, jobs: Iterable[str]) -> Tuple[List[List[str]], str]:
    """Return what the accounting has of some jobs, and why it cannot tell."""
    rows = []  # type: List[List[str]]
    ids = sorted(jobs)
    for start in range(0, len(ids), 2000):
        command = of_cluster("sacct", cluster)
        command += ["-n", "-P", "-X", "-o", "JobID,State,ExitCode,Start,End,Reason"]
        command += ["-j", ",".join(ids[start : start + 2000])]
        try:
            code, out, err = ask(command)
        except Refused as error:
            return [], str(error)
        if code:
            return [], err or "sacct ended with %d" % code
        rows += [line.split("|") for line in out.splitlines() if line.count("|") == 5]
    return rows, ""


class Commands:
    """Which batch script each of this user's jobs has; asked for once, when first needed."""

    def __init__(self, cluster: str = "") -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._found = None  # type: Optional[List[Tuple[str, str]]]

    def all(self, fresh: bool = False) -> List[Tuple[str, str]]:
        """Return pairs of an id and the path of a script; of arrays the id of the whole."""
        with self._lock:
            if self._found is None or fresh:
                self._found = self._ask()
            return self._found

    def _ask(self) -> List[Tuple[str, str]]:
        command = of_cluster("squeue", self._cluster)
        command += ["-h", "-t", "all", "-u", str(os.getuid()), "-o", "%F|%o"]
        code, out, err = ask(command)
        if code:
            raise Refused("squeue failed: %s" % (err or "exit status %d" % code))
        return [split_bar(line) for line in out.splitlines() if re.match(r"\d+\|", line)]

    def of(self, script: str) -> str:
        """Return the id of the job that runs a script, as it is now; empty where there is none."""
        return leader(job for job, path in self.all(fresh=True) if path == script)


def leader(jobs: Iterable[str]) -> str:
    """Return the first id, which is that of the whole where there are components; or nothing."""
    return min(jobs, key=int, default="")


def split_bar(line: str) -> Tuple[str, str]:
    """Return the two parts of a line at its first bar."""
    first, _, rest = line.partition("|")
    return first, rest


def accounted(scripts: Set[str], since: float) -> Dict[str, str]:
    """Return the ids of those scripts that the accounting knows, by the command line of sbatch."""
    day = time.strftime("%Y-%m-%d", time.gmtime(since - 86400))
    command = ["sacct", "-n", "-P", "-X", "-u", str(os.getuid()), "-S", day]
    try:
        code, out, _ = ask(command + ["-o", "JobID,SubmitLine"])
    except Refused:
        return {}
    if code:
        return {}  # none, or one that is too old for SubmitLine
    found = {}
    for job, line in map(split_bar, out.splitlines()):
        script = next((one for one in scripts if line == one or line.endswith(" " + one)), None)
        if script:
            found[script] = re.split(r"[_+]", job)[0]
    return found


# --- Files of an attempt ------------------------------------------------------------------------


def read(path: str) -> Optional[str]:
    """Return a small text file; None where there is none."""
    try:
        with open(path, "rb") as file:
            return text(file.read(1 << 20))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def make_folder(path: str) -> None:
    """Make a folder and those above it, all of them for this user only, whatever the umask.

    The umask itself stays, since sbatch hands it on to the job.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(path.rstrip("/"))
    if above and above != path:
        make_folder(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def write(path: str, content: bytes, mode: int = 0o600) -> None:
    """Replace a file in one step, unless it holds that already."""
    try:
        with open(path, "rb") as file:
            if file.read() == content:
                os.chmod(path, mode)
                return
    except OSError:
        pass
    descriptor, temporary = tempfile.mkstemp(prefix=".nemorun.", dir=os.path.dirname(path))
    try:
        # No sync: what counts is the claim, which is synced before anybody is asked.
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def submitted(folder: str, token: str = "") -> Optional[Json]:
    """Return what came of the submission of an attempt; None where nobody knows."""
    try:
        found = json.loads(read(os.path.join(folder, SUBMITTED)) or "null")
    except ValueError:
        return None
    if not isinstance(found, dict) or not re.match(r"\d+(_\d+)?$", str(found.get("id"))):
        return None
    if token and found.get("token") != token:
        return None
    return found


class Claim:
    """What the claim in a folder says.

    Attributes:
        script: What sbatch was, or was to be, given.
        identity: Which record of an experiment it is for.
        index: The place in the array; None where the job is none's.
        said: What sbatch printed.
    """

    def __init__(self, folder: str) -> None:
        first, _, rest = (read(os.path.join(folder, CLAIM)) or "").partition("\n")
        try:
            fields = json.loads(first) if first else {}
        except ValueError:
            fields = {}
        self.fields = fields
        self.script = str(fields.get("script", ""))
        self.identity = str(fields.get("identity", ""))
        self.index = fields.get("index")
        self.said = rest
        self.folder = folder

    @property
    def id(self) -> str:
        """What sbatch answered; of an element of an array the id of the element."""
        if not self.script:
            return ""
        other = os.path.dirname(self.script)
        said = self.said if other == self.folder else Claim(other).said
        return self.element(parsed(said)[0])

    def element(self, job: str) -> str:
        """Return the id of this job, given what its script was submitted as."""
        return job if self.index is None or not job else "%s_%d" % (job, self.index)


def parsed(said: str) -> Tuple[str, str]:
    """Return the id and the cluster in what ``sbatch --parsable`` printed, banners aside."""
    for line in reversed(said.splitlines()):
        found = re.match(r"(?:Submitted batch job )?(\d+)(?:;([\w.-]+))?$", line.strip())
        if found:
            return found.group(1), found.group(2) or ""
    return "", ""


def known(folder: str, token: str, identity: str) -> Optional[Json]:
    """Return what the files of an attempt say about its submission; nothing of another record."""
    if stranger(folder, identity):
        return None
    found = submitted(folder, token)
    if found is not None:
        return found
    claim = Claim(folder)
    job = claim.id
    return settle(folder, token, job, claim) if job else None


def stranger(folder: str, identity: str) -> str:
    """Return whose an attempt's folder is, where it is that of another record; else nothing.

    Two records may have one id: of two machines, or of one whose home was removed.
    """
    claim = Claim(folder)
    whose = claim.fields if claim.script else submitted(folder) or {}
    if not whose or whose.get("identity", "") == identity:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(whose.get("time") or 0))
    return (
        "%s belongs to another experiment with this id, whose job was submitted from %s at %s. "
        "Choose another id or job_dir, or remove that folder."
        % (os.path.dirname(os.path.dirname(folder)), whose.get("from") or "elsewhere", when)
    )


def settle(folder: str, token: str, job: str, claim: Claim, cluster: str = "") -> Json:
    """Write down what came of a submission."""
    if not cluster and claim.script:
        cluster = parsed(Claim(os.path.dirname(claim.script)).said)[1]
    found = {"token": token, "id": job, "cluster": cluster, "time": time.time()}
    found["script"] = claim.script
    found["identity"] = claim.identity
    found["from"] = claim.fields.get("from", "")
    try:
        write(os.path.join(folder, SUBMITTED), (json.dumps(found) + "\n").encode())
    except OSError:
        pass  # a full disk: the claim holds the id too
    return found


class Locked:
    """The claim of a folder, open and locked; made where there is none."""

    def __init__(self, folder: str, patience: float = 120.0) -> None:
        make_folder(folder)
        path = os.path.join(folder, CLAIM)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.beside = path + ".lock"
        self.made = False
        deadline = time.monotonic() + patience
        while not self._lock():
            if time.monotonic() > deadline:
                os.close(self.descriptor)
                raise TimeoutError(folder)
            time.sleep(0.1)

    def _lock(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            if error.errno not in UNLOCKABLE:
                raise
            return self._lock_beside()
        return True

    def _lock_beside(self) -> bool:
        """Lock where the file system has no locks, such as Lustre without -o flock: by a file."""
        try:
            os.close(os.open(self.beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            try:
                if time.time() - os.stat(self.beside).st_mtime > STALE:
                    os.unlink(self.beside)
            except OSError:
                pass  # somebody else was faster
            return False
        self.made = True
        return True

    def say(self, fields: Json) -> None:
        """Write who asks, on disk before anybody is asked."""
        os.ftruncate(self.descriptor, 0)
        os.write(self.descriptor, (json.dumps(fields) + "\n").encode())
        os.fsync(self.descriptor)

    def clear(self) -> None:
        """Say that nobody has asked: it was refused."""
        os.ftruncate(self.descriptor, 0)

    def __enter__(self) -> "Locked":
        return self

    def __exit__(self, *_: object) -> None:
        if self.made:
            os.unlink(self.beside)
        os.close(self.descriptor)


# --- Submitting ---------------------------------------------------------------------------------

# Of these the controller says that it took nothing: the same may be asked again.
AGAIN = re.compile(
    r"Resource temporarily unavailable|Unable to contact slurm controller|Connection refused"
    r"|slurm_persist|Slurm backup controller in standby|Connection timed out|Zero Bytes were"
    r"|slurmctld.*(shutting down|not responding)|try again",
    re.I,
)
# Of these nobody knows what the controller did.
DOUBTFUL = re.compile(
    r"Socket timed out|Transport endpoint|Unexpected message|did not answer", re.I
)
# These pass when other jobs have ended.
FULL = re.compile(
    r"Max\w*Submit\w*|MaxJobs?PerAccount|job submit limit|Slurm temporarily unable", re.I
)


class Submission:
    """One call of sbatch: for a job, or for several as an array."""

    def __init__(self, fields: Json) -> None:
        self.script = fields["script"]  # type: str
        self.folder = os.path.dirname(self.script)
        self.options = fields["options"]  # type: List[str]
        # Token, folder of the attempt and place in the array of each.
        self.elements = [tuple(e) for e in fields["elements"]]  # type: List[Tuple[str, str, Any]]
        self.parallel = fields.get("parallel") or 0
        self.identity = fields["identity"]  # type: str
        self.after = fields["after"]  # type: List[Json]
        self.files = fields["files"]  # type: List[Tuple[str, int, int]]
        # By token: the file with the secrets of a job, and its content.
        self.secrets = fields.get("secrets") or {}  # type: Dict[str, Tuple[str, int]]
        self.delivered = False
        self.folders = fields["folders"]  # type: List[str]

    @property
    def tokens(self) -> List[str]:
        """The tokens of its jobs."""
        return [token for token, _, _ in self.elements]


class Submitting:
    """A call with many submissions, of which some wait for others."""

    def __init__(self, request: Json, stdin: IO[bytes], emit: Emit) -> None:
        self.blobs = unpacked(stdin, request["blobs"])
        self.submissions = [Submission(fields) for fields in request["submissions"]]
        self.emit = emit
        self.origin = request["from"]  # type: str
        self.commands = Commands()
        self.deadline = time.monotonic() + PATIENCE
        # Variables with secrets, which sbatch would hand on to the job and keep with it.
        self.hidden = request.get("hidden") or []  # type: List[str]
        self.answers = {}  # type: Dict[str, Json]
        self.full = ""
        self.fresh = set()  # type: Set[str]

    def run(self) -> Json:
        """Submit all, each after those of this call that it waits for."""
        owner = {token: s for s in self.submissions for token in s.tokens}
        left = list(self.submissions)
        going = {}  # type: Dict[Future[Dict[str, Json]], Submission]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while left or going:
                ready = [s for s in left if self._is_ready(s, owner)]
                if not ready and not going:
                    ready = left  # a circle; the plan has none
                left = [s for s in left if s not in ready]
                going.update({pool.submit(self._submit, s): s for s in ready})
                for done in wait(going, return_when=FIRST_COMPLETED).done:
                    self._answer(done, going.pop(done))
        return {"answers": self.answers}

    def _is_ready(self, submission: Submission, owner: Dict[str, Submission]) -> bool:
        waits = [d["token"] for d in submission.after if d.get("token") in owner]
        return all(token in self.answers for token in waits)

    def _answer(self, done: "Future[Dict[str, Json]]", submission: Submission) -> None:
        try:
            answers = done.result()
        except Refused as error:
            answers = refusal(submission, "shortage", str(error))
        except TimeoutError:
            why = "Another process is submitting it right now, in %s." % submission.folder
            answers = refusal(submission, "shortage", why)
        except OSError as error:
            short = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EAGAIN)
            where = error.filename or submission.folder
            why = "%s cannot be written: %s." % (where, error.strerror)
            answers = refusal(submission, "shortage" if short else "error", why)
        if submission.delivered and not any("id" in answer for answer in answers.values()):
            self._take_back(submission)
        self.answers.update(answers)
        self.emit({"answers": answers})

    @staticmethod
    def _take_back(submission: Submission) -> None:
        """Remove the secrets of jobs that were not started, unless Slurm may have them yet."""
        if not Claim(submission.folder).script:
            forget_all(os.path.dirname(path) for path, _ in submission.secrets.values())

    def _submit(self, submission: Submission) -> Dict[str, Json]:
        answers = self._known(submission)
        if len(answers) == len(submission.elements):
            return answers
        with Locked(submission.folder) as claim:
            answers = dict(self._found(submission), **self._strangers(submission))
            todo = [e for e in submission.elements if e[0] not in answers]
            if todo and self.full:
                return dict(answers, **refusal(submission, "shortage", self.full, answers))
            if todo:
                answers.update(self._start(submission, claim, todo))
        return answers

    def _known(self, submission: Submission) -> Dict[str, Json]:
        whose = submission.identity
        found = {token: known(folder, token, whose) for token, folder, _ in submission.elements}
        return {token: answer for token, answer in found.items() if answer}

    @staticmethod
    def _strangers(submission: Submission) -> Dict[str, Json]:
        """Return the refusal of jobs whose folders belong to another record."""
        all_of_it = stranger(submission.folder, submission.identity)
        answers = {}
        for token, folder, _ in submission.elements:
            first = os.path.join(os.path.dirname(folder), "1")
            why = (stranger(one, submission.identity) for one in (folder, first))
            said = all_of_it or next(filter(None, why), "")
            if said:
                answers[token] = {"kind": "error", "why": said}
        return answers

    def _found(self, submission: Submission) -> Dict[str, Json]:
        """Return what is known of jobs, also of those whose submission nobody saw end."""
        answers = self._known(submission)
        for token, folder, _ in submission.elements:
            claim = Claim(folder)
            if token in answers or not claim.script or claim.identity != submission.identity:
                continue
            job = self.look_for(claim.script)
            if job:
                answers[token] = settle(folder, token, claim.element(job), claim)
        return answers

    def look_for(self, script: str) -> str:
        """Return the id of the job that Slurm has for a script; asked for anew."""
        return self.commands.of(script) or accounted({script}, time.time()).get(script, "")

    def _start(self, submission: Submission, claim: Locked, todo: List[Any]) -> Dict[str, Json]:
        after, why = self._dependency(submission)
        if why:
            return refusal(submission, "error", why, self.answers)
        for folder in submission.folders:
            make_folder(folder)
        for path, blob, mode in submission.files:
            make_folder(os.path.dirname(path))
            write(path, self.blobs[blob], mode)
        for path, blob in (submission.secrets[e[0]] for e in todo if e[0] in submission.secrets):
            submission.delivered = True
            make_folder(os.path.dirname(path))
            write(path, self.blobs[blob])
        fields = {"pid": os.getpid(), "host": os.uname().nodename, "time": time.time()}
        fields.update({"script": submission.script, "identity": submission.identity})
        fields["from"] = self.origin
        indices = [index for _, _, index in todo if index is not None]
        self._point(submission, todo, fields)
        claim.say(fields)
        options = list(submission.options)
        if indices:
            limit = "%%%d" % submission.parallel if submission.parallel else ""
            options.append("--array=%s%s" % (spans(indices), limit))
        if after:
            options.append("--dependency=" + after)
        return self._sbatch(submission, claim, todo, options)

    @staticmethod
    def _point(submission: Submission, todo: List[Any], fields: Json) -> None:
        """Let the folder of each element of an array lead to the claim for the array."""

        def point(element: Any) -> None:
            _, folder, index = element
            with Locked(folder) as own:
                own.say(dict(fields, index=index))

        elsewhere = [element for element in todo if element[1] != submission.folder]
        if elsewhere:
            # Side by side: a file system syncs many files in little more time than one.
            with ThreadPoolExecutor(16) as pool:
                list(pool.map(point, elsewhere))

    def _dependency(self, submission: Submission) -> Tuple[str, str]:
        """Return the text for --dependency, or why the job can never start."""
        by_kind = {}  # type: Dict[str, List[str]]
        for one in submission.after:
            answer = self.answers.get(one.get("token") or "")
            if answer is not None and "id" not in answer:
                who = one["token"]
                return "", "It waits for %s, which was not submitted: %s" % (who, answer["why"])
            job = str(answer["id"] if answer else one["id"])
            if one.get("whole"):
                job = job.partition("_")[0]
            came = self._came_to(job, one.get("folder", ""))
            if came is not None and one["kind"] == ("afternotok" if came else "afterok"):
                end = "succeeded" if came else "did not succeed"
                return "", "It waits (%s) for job %s, which %s." % (one["kind"], job, end)
            if came is None:
                by_kind.setdefault(one["kind"], []).append(job)
        return ",".join(":".join([kind] + ids) for kind, ids in sorted(by_kind.items())), ""

    def _came_to(self, job: str, folder: str) -> Optional[bool]:
        """Return whether a job succeeded that the controller has forgotten; None: it has not.

        Slurm takes a dependency on a job that it no longer knows for fulfilled, however that
        job ended.
        """
        if whole(job) in self.fresh or whole(job) in dict(self.commands.all()):
            return None
        end = record(folder, None)["ended"] if folder else None
        if end:
            return bool(end[0] == 0)
        states = [row[1].split()[0] for row in accounts("", [job])[0] if row[1]]
        if not states or any(state in LIVE for state in states):
            return None
        return all(state == "COMPLETED" for state in states)

    def _sbatch(
        self, submission: Submission, claim: Locked, todo: List[Any], options: List[str]
    ) -> Dict[str, Json]:
        pause = 1.0
        while True:
            command = ["sbatch"] + options + [submission.script]
            code, said = call_sbatch(command, claim.descriptor, self.hidden)
            job, cluster = parsed(Claim(submission.folder).said)
            if DOUBTFUL.search(said):
                job = job or self._accepted(submission.script)
                if not job:
                    # The claim stays: the next one who asks looks for the job first.
                    return refusal(submission, "shortage", said, self.answers)
            elif not code and not job:
                said = "sbatch ended well and said no job id"
            if job and (not code or DOUBTFUL.search(said)):
                self.fresh.add(job)
                return self._settled(todo, job, cluster)
            short = FULL.search(said) or AGAIN.search(said)
            if FULL.search(said):
                self.full = said
            elif short and time.monotonic() + pause < self.deadline:
                time.sleep(pause)
                pause = min(2 * pause, 10.0)
                continue
            claim.clear()
            return refusal(submission, "shortage" if short else "error", said, self.answers)

    def _accepted(self, script: str) -> str:
        """Return the id of a job after sbatch lost touch with the controller; empty if none."""
        for pause in (1.0, 2.0, 4.0, 8.0):
            time.sleep(pause)
            try:
                job = self.look_for(script)
            except Refused:
                continue
            if job or time.monotonic() > self.deadline:
                return job
        return ""

    @staticmethod
    def _settled(todo: List[Any], job: str, cluster: str) -> Dict[str, Json]:
        claims = ((token, folder, Claim(folder)) for token, folder, _ in todo)
        return {
            token: settle(folder, token, claim.element(job), claim, cluster)
            for token, folder, claim in claims
        }


def call_sbatch(command: List[str], claim: int, hidden: Iterable[str] = ()) -> Tuple[int, str]:
    """Run sbatch, which prints into the claim; return its status and its complaints.

    Hidden variables are not handed on to it.

    It gets files, no pipes: whoever reads them may be gone by the time it prints.
    """
    own = {name: value for name, value in environment().items() if name not in hidden}
    with tempfile.TemporaryFile() as complaints:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=claim,
                stderr=complaints,
                env=own,
            )
        except OSError as error:
            if error.errno == errno.ENOENT:
                return 127, missing("sbatch")
            return 126, "sbatch cannot be run: %s" % error.strerror
        try:
            code = child.wait(timeout=600)
        except subprocess.TimeoutExpired:
            code, said = 124, "sbatch did not answer in 600 seconds"
            return code, said
        complaints.seek(0)
        return code, text(complaints.read()).strip() or ("exit status %d" % code if code else "")


def refusal(
    submission: Submission, kind: str, why: str, but: Iterable[str] = ()
) -> Dict[str, Json]:
    """Return the answer for all jobs of a submission that were not started."""
    return {t: {"kind": kind, "why": why} for t in submission.tokens if t not in but}


def first_line(said: str) -> str:
    """Return the first line of what a program said."""
    return (said.splitlines() or [""])[0]


def spans(numbers: Iterable[int]) -> str:
    """Return numbers as sbatch takes them: ``0-3,5``."""
    found = []  # type: List[List[int]]
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join("%d" % a if a == b else "%d-%d" % (a, b) for a, b in found)


def unpacked(stdin: IO[bytes], lengths: List[int]) -> List[bytes]:
    """Return the contents that came with a request, one after the other, compressed."""
    if not lengths:
        return []
    raw = zlib.decompress(stdin.read())
    blobs, start = [], 0
    for length in lengths:
        blobs.append(raw[start : start + length])
        start += length
    return blobs


def submit(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Start jobs; those that Slurm has already are not started again."""
    import signal

    # A connection that breaks must not come between sbatch's answer and our note of it.
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)

    def told(event: Any) -> None:
        try:
            emit(event)
        except (OSError, ValueError):
            pass  # nobody listens any more; the files say it too

    return Submitting(request, stdin, told).run()


# --- Code ---------------------------------------------------------------------------------------


def probe(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Return what of some code is here, what it can be compared with, and how long arrays are."""
    answer = {"tars": [], "known": {}, "git": False, "max_array_size": 0}  # type: Json
    for store, tree in request["trees"]:
        if os.path.exists(os.path.join(store, "code", tree + ".tar")):
            answer["tars"].append([store, tree])
        if store not in answer["known"]:
            # A git that does not work here is as good as none.
            code, out, _ = ask(["sh", "-c", request["known"], "sh", store + "/code.git"])
            answer["known"][store] = out.split() if code == 0 else []
    if request["trees"]:
        answer["git"] = ask(["sh", "-c", "git --version"])[0] == 0
    if request["arrays"]:
        code, out, _ = ask(["scontrol", "show", "config"])
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", out, re.M)
        answer["max_array_size"] = int(found.group(1)) if found else 0
    return answer


FOR_GOOD = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ELOOP)
"""What does not go away by waiting."""


def receive(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Take code: packs where there is git, archives elsewhere."""
    for repository, tree, tar in request["trees"]:
        try:
            make_folder(os.path.dirname(tar))
        except OSError as error:
            if error.errno in FOR_GOOD:
                return {"refused": "%s cannot be made: %s." % (tar, error.strerror)}
            raise
        if request["script"]:
            unpack(request["script"], [repository, tree, tar], stdin)
            continue
        descriptor, temporary = tempfile.mkstemp(prefix=".nemorun.", dir=os.path.dirname(tar))
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces(stdin):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, tar)
    return {}


def unpack(script: str, arguments: List[str], stdin: IO[bytes]) -> None:
    """Feed a pack to the script that takes it."""
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            ["sh", "-c", script, "sh"] + arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
        assert child.stdin is not None
        try:
            for piece in pieces(stdin):
                child.stdin.write(piece)
            child.stdin.close()
        except BrokenPipeError:
            pass  # what it says and its status tell more
        if child.wait():
            complaints.seek(0)
            raise Refused("git here does not take the code: " + text(complaints.read()).strip())


def pieces(stdin: IO[bytes]) -> Iterator[bytes]:
    """Return the pieces of one archive, each of which comes behind its length."""
    while True:
        length = int(stdin.readline() or 0)
        if not length:
            return
        piece = stdin.read(length)
        if len(piece) < length:
            raise Refused("The code did not come whole.")
        yield piece


# --- Finding and owning -------------------------------------------------------------------------


def find(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Return what Slurm has of some attempts, by token."""
    answers, unknown = {}, []
    for token, folder, identity in request["jobs"]:
        if stranger(folder, identity):
            continue
        found = known(folder, token, identity)
        if found:
            answers[token] = found
            continue
        claim = Claim(folder)
        claim.identity = claim.identity or identity
        unknown.append((token, folder, claim))
    if not unknown:
        return {"answers": answers}
    listed = Commands(request.get("cluster", "")).all()
    for token, folder, claim in unknown:
        job, script = of_folder(listed, folder, claim)
        if job:
            claim.script = claim.script or script
            answers[token] = settle(folder, token, claim.element(job), claim)
    scripts = {c.script for t, _, c in unknown if c.script and t not in answers}
    ended = accounted(scripts, time.time() - 30 * 86400) if scripts else {}
    for token, folder, claim in unknown:
        if claim.script in ended and token not in answers:
            answers[token] = settle(folder, token, claim.element(ended[claim.script]), claim)
    return {"answers": answers}


def of_folder(listed: List[Tuple[str, str]], folder: str, claim: Claim) -> Tuple[str, str]:
    """Return the job whose script lies in a folder, or is the one that its claim names."""
    found = {j: p for j, p in listed if p == claim.script or os.path.dirname(p) == folder}
    job = leader(found)
    return job, found.get(job, "")


# --- Looking ------------------------------------------------------------------------------------


def poll(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Return what squeue, sacct and the jobs' own records say; interpreted by who asked.

    Each job comes as id, cluster, folder, and whether it is known to be the one of that folder:
    ids are used again, and handles are read from files.
    """
    jobs = request["jobs"]  # type: List[Tuple[str, str, str, bool]]
    answer = {"queue": [], "accounts": [], "records": {}, "accounting": "", "foreign": []}  # type: Json
    for cluster in sorted({one[1] for one in jobs}):
        theirs = {job: folder for job, other, folder, _ in jobs if other == cluster}
        new = {job: folder for job, other, folder, own in jobs if other == cluster and not own}
        foreign = strangers(new, cluster)
        answer["foreign"] += [[job, new[job]] for job in foreign]
        look(cluster, {j: f for j, f in theirs.items() if j not in foreign}, request, answer)
    return answer


def look(cluster: str, wanted: Dict[str, str], request: Json, answer: Json) -> None:
    """Add what is known of the jobs of one cluster, each with its folder, to an answer."""
    rows = [r for r in queue(cluster) if base(r[0]) in wanted or r[0] in wanted]
    answer["queue"] += [[cluster] + row for row in rows]
    states = {base(row[0]): row[1] for row in rows}
    ended = [job for job in wanted if states.get(job, "") not in LIVE]
    doubtful = [job for job in ended if states.get(job, "CANCELLED") == "CANCELLED"]
    if doubtful and request.get("accounting", True):
        found, why = accounts(cluster, doubtful)
        answer["accounts"] += [[cluster] + row for row in found]
        answer["accounting"] = why
    restarts = {base(row[0]): int(row[3]) for row in rows if row[3].isdigit()}
    for job, folder in wanted.items():
        if states.get(job) == "PENDING":
            continue
        try:
            answer["records"][folder] = record(folder, restarts.get(job))
        except OSError:
            pass  # a file system that hiccups; it is looked at again


def strangers(jobs: Dict[str, str], cluster: str) -> Set[str]:
    """Return those of some jobs that Slurm has, but not as the ones of their folders."""
    doubtful = {j: f for j, f in jobs.items() if (submitted(f) or {}).get("id") != j}
    if not doubtful:
        return set()
    listed = dict(Commands(cluster).all())
    scripts = {job: listed.get(whole(job)) for job in doubtful}
    return {job for job, script in scripts.items() if script and not is_of(script, doubtful[job])}


LIVE = ("PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "STOPPED")


def record(folder: str, restarts: Optional[int]) -> Json:
    """Return what a job has written down itself.

    Args:
        folder: The folder of the attempt that was submitted.
        restarts: How often Slurm has started it again; None where nobody knows.
    """
    above, first = os.path.split(folder)
    number = int(first) if first.isdigit() else 1
    if restarts is None:
        restarts = 0
        while restarted(os.path.join(above, str(number + restarts + 1))):
            restarts += 1
    here = os.path.join(above, str(number + restarts))
    found = {"attempt": number + restarts, "ended": ending(here), "started": began(here)}  # type: Json
    found["members"] = members(here)
    when = (submitted(folder) or {}).get("time")
    found["age"] = time.time() - when if when else None
    found["cancelled"] = os.path.exists(os.path.join(folder, "cancelled"))
    try:
        found["mine"] = os.stat(folder).st_uid == os.getuid()
    except OSError:
        found["mine"] = None
    return found


def restarted(folder: str) -> bool:
    """Whether Slurm started this attempt again by itself: nobody submitted it."""
    if os.path.exists(os.path.join(folder, CLAIM)):
        return False
    return any(os.path.exists(os.path.join(folder, name)) for name in ("started", "exit"))


def began(folder: str) -> Optional[float]:
    """Return when an attempt began, in seconds since the epoch."""
    words = (read(os.path.join(folder, "started")) or "").split()
    try:
        return float(words[1] if words[:1] == ["started"] else words[0])
    except (IndexError, ValueError):
        return None


def ending(folder: str) -> Optional[List[Any]]:
    """Return exit code, who decided, and when, as the last line of the run says."""
    path = os.path.join(folder, "exit")
    lines = (read(path) or "").splitlines()
    found = re.match(r"exit (\d+)(?: by (.*?))?[ .]*$", lines[0]) if lines else None
    if not found:
        return None
    return [int(found.group(1)), (found.group(2) or "").strip(), os.stat(path).st_mtime]


def members(folder: str) -> Dict[str, Optional[List[Any]]]:
    """Return how each member of a group ended; None of one that has not said so."""
    found = {}  # type: Dict[str, Optional[List[Any]]]
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if os.path.isdir(os.path.join(folder, name)) and not name.startswith("."):
            found[name] = ending(os.path.join(folder, name))
    # A job that is no group may have made folders of its own.
    return found if any(found.values()) else {}


# --- Ending -------------------------------------------------------------------------------------


def cancel(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """End jobs that are still what their folders say; return those that could not be ended."""
    answer = {"foreign": [], "left": [], "why": ""}  # type: Json
    jobs = request["jobs"]  # type: List[Tuple[str, str, str]]
    for cluster in sorted({cluster for _, cluster, _ in jobs}):
        theirs = {job: folder for job, other, folder in jobs if other == cluster}
        foreign = strangers(theirs, cluster)
        answer["foreign"] += sorted(foreign)
        wanted = {job: folder for job, folder in theirs.items() if job not in foreign}
        live = still(cluster, wanted)
        for job in live:
            note = {"by": os.getuid(), "time": time.time()}
            try:
                write(os.path.join(wanted[job], "cancelled"), (json.dumps(note) + "\n").encode())
            except OSError:
                pass  # only a note; Slurm itself is asked below
        for pause in (0.2, 0.5, 1.0, 2.0):
            if not live:
                break
            _, _, err = ask(of_cluster("scancel", cluster) + sorted(live))
            time.sleep(pause)
            live = still(cluster, wanted)
            answer["why"] = err
        answer["left"] += sorted(live)
    return answer


def is_of(script: str, folder: str) -> bool:
    """Whether a job with this script is the one of an attempt."""
    found = submitted(folder)
    return os.path.dirname(script) == folder or bool(found and found.get("script") == script)


def still(cluster: str, wanted: Iterable[str]) -> Set[str]:
    """Return those of some jobs that Slurm would still run."""
    ours = set(wanted)
    return {base(r[0]) for r in queue(cluster) if r[1] in LIVE and base(r[0]) in ours}


# --- Secrets ------------------------------------------------------------------------------------


def forget(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Remove the secrets of jobs that have ended: of their attempts up to the one that is named."""
    left = []
    for folder, last in request["jobs"]:
        numbers = [name for name in listed(folder) if name.isdigit() and int(name) <= last]
        left += forget_all(os.path.join(folder, name) for name in numbers)
    return {"left": left}


def listed(folder: str) -> List[str]:
    """Return the names in a folder; none where there is no such folder, or only a link to one."""
    try:
        return [] if os.path.islink(folder) else os.listdir(folder)
    except OSError:
        return []


def forget_all(folders: Iterable[str]) -> List[str]:
    """Remove folders with secrets, and the folder above that is empty then; return what is left."""
    left = []
    for folder in folders:
        try:
            for name in listed(folder):
                os.unlink(os.path.join(folder, name))
            os.rmdir(folder)
        except OSError as error:
            if error.errno != errno.ENOENT:
                left.append("%s: %s" % (folder, error.strerror))
        try:
            os.rmdir(os.path.dirname(folder))
        except OSError:
            pass  # those of another attempt are there
    return left


# --- Bringing -----------------------------------------------------------------------------------

PIECE = 1 << 18
TAIL = 4096
LARGEST = 1 << 28


def bring(request: Json, stdin: IO[bytes], emit: Emit) -> Json:
    """Send what attempts have left, their results before logs; what cannot be read is said."""
    for number, wanted in enumerate(request["folders"]):
        attempt({"folder": number}, emit, lambda told: collect(wanted, told))  # noqa: B023
    for number, wanted in enumerate(request["files"]):
        attempt({"file": number}, emit, lambda told: tail(wanted, told))  # noqa: B023
    return {}


def attempt(label: Json, emit: Emit, send: Callable[[Emit], None]) -> None:
    """Send the files of one thing that was asked for; one that fails leaves the others alone."""

    def told(event: Json, data: bytes = b"") -> None:
        emit(dict(event, **label), data)

    try:
        send(told)
    except Refused as error:
        told({"error": str(error)})


def tail(wanted: List[Any], emit: Emit) -> None:
    """Send what a file holds behind what is known of it; all of it where it was replaced."""
    path, known_size, checksum = wanted
    try:
        # A job may have put anything in place of its log: a pipe without a writer would hang us,
        # and a link leads to what is no log of it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return
            size = os.fstat(file.fileno()).st_size
            start = max(0, known_size - TAIL)
            file.seek(start)
            same = size >= known_size and zlib.crc32(file.read(known_size - start)) == checksum
            offset, again = (known_size, False) if same else (0, True)
            file.seek(offset)
            while offset < size or again:
                piece = file.read(min(PIECE, size - offset))
                emit({"offset": offset, "again": again}, piece)
                offset, again = offset + len(piece), False
                if not piece:
                    break
            if same and not known_size and not size:
                emit({"offset": 0, "again": False}, b"")
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise Refused("%s cannot be read: %s" % (path, error.strerror)) from error


def collect(wanted: Json, emit: Emit) -> None:
    """Send the files of a folder that are new or have changed; no scripts, nothing hidden.

    And what sbatch printed, which lies elsewhere: its names come as patterns.
    """
    known_files = wanted["known"]
    found = {}
    for here, names, files in os.walk(wanted["folder"]):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            path = os.path.join(here, name)
            if not (name.startswith((".", CLAIM)) or name.endswith(".sh")):
                found[path] = os.path.relpath(path, wanted["root"])
    for pattern, name in wanted["outputs"]:
        for path in glob.glob(pattern):
            found[path] = os.path.join(name, os.path.basename(path))
    for path, name in sorted(found.items()):
        try:
            if os.path.isfile(path) and not os.path.islink(path):
                collected(path, name, known_files, emit)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise Refused("%s cannot be read: %s" % (path, error.strerror)) from error


def collected(path: str, name: str, known_files: Json, emit: Emit) -> None:
    """Send one file, unless it is known as it is."""
    with open(path, "rb") as file:
        found = os.fstat(file.fileno())
        if known_files.get(name) == [found.st_size, found.st_mtime_ns] or found.st_size > LARGEST:
            return
        offset, left = 0, True
        while left:
            piece = file.read(PIECE)
            left = len(piece) == PIECE
            event = {"name": name, "offset": offset, "last": not left, "mtime": found.st_mtime_ns}
            emit(event, piece)
            offset += len(piece)


OPERATIONS = {
    "submit": submit,
    "probe": probe,
    "receive": receive,
    "find": find,
    "poll": poll,
    "cancel": cancel,
    "forget": forget,
    "bring": bring,
}
