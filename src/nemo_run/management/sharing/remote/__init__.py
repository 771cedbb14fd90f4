"""A home elsewhere: experiments pushed to, and pulled from, a folder, a host or an object store.

Everything is written once under the sum of its bytes (``blobs/``); last, a manifest that names
the blobs of an experiment (``experiments/``). A process that is killed leaves blobs that nobody
names, and the next push finds them. No file is changed, so nobody reads half of one, and no lock is
needed. Layout: ``docs/share.md``.
"""

from __future__ import annotations
