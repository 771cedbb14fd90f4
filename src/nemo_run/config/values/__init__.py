"""Values of the command line and of files, read by the annotation of what takes them.

:mod:`.parse` chooses the rule for an annotation; the rules, ``read_…(source, hint, reading)``, are
in the modules beside it. A rule returns the value, or raises
:class:`~nemo_run.config.values.refusal.RefusedError` with the sentence that says why it is none.
"""
