"""How the code of a job comes into its folder. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.quoting import quote
from nemo_run.execution.slurm import layout

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec

_UNPACK = """\
# The code as it was when the job was submitted, unpacked once. The file beside it says that it
# is whole.
if [ "$(cat "$job/code.tree" 2>/dev/null)" != {tree} ]; then
    rm -rf "$job/code.new" "$job/code"
    {{
        mkdir "$job/code.new" &&
            tar -xf {tar} -C "$job/code.new" &&
            mv "$job/code.new" "$job/code" &&
            echo {tree} >"$job/code.tree"
    }} || finish 1 'the code, which could not be unpacked'
fi"""


def lines(spec: JobSpec) -> list[str]:
    """Return the lines that bring the code, if any travels or is linked.

    Args:
        spec: The job.
    """
    elsewhere = layout.linked_folder(spec.options)
    if elsewhere:
        return [
            "# The code of another job.",
            f'ln -sfn {quote(elsewhere)} "$job/code" || finish 1 "the link to the code"',
        ]
    found = layout.archive(spec)
    if found is None:
        return ['mkdir -p "$job/code"'] if _starts_there(spec) else []
    tree, tar = found
    return _UNPACK.format(tree=tree, tar=quote(tar)).split("\n")


def _starts_there(spec: JobSpec) -> bool:
    folder = f"{spec.inside or spec.directory}/code"
    return any(member.working_directory == folder for member in spec.members)
