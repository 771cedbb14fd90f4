"""Functions that describe an experiment: what their context says, and what launching does."""

from __future__ import annotations

import pytest

from nemo_run.management import store

SQUARES = """
    from dataclasses import dataclass

    import nemo_run as run


    def square(n: int) -> int:
        print("square of", n)
        if n < 0:
            raise ValueError(f"{n} is negative")
        return n * n


    @run.cli.entrypoint(type="experiment")
    def squares(ctx: run.cli.RunContext, count: int = 2, first: int = 0):
        '''Squares of numbers.'''
        with run.Experiment(ctx.name or "squares", executor=ctx.executor) as exp:
            for n in range(first, first + count):
                exp.add(run.Partial(square, n), name=f"n{n}", plugins=ctx.plugins)
            ctx.launch(exp, sequential=True)


    if __name__ == "__main__":
        run.cli.main(squares)
"""


@pytest.fixture
def squares(folder):
    folder.write("squares.py", SQUARES)
    return lambda *words, **more: folder.python("squares.py", *words, **more)


def test_it_launches_what_it_describes(squares):
    done = squares("count=3", "run.executor=local", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["title"] == "squares"
    assert done.json["results"] == {"n0": 0, "n1": 1, "n2": 4}


def test_a_dry_run_plans_it_as_it_would_be_launched(squares, home):
    done = squares("count=2", "--dryrun", "--json")
    assert done.code == 0, done.err
    assert [job["id"] for job in done.json["jobs"]] == ["n0", "n1"]
    assert done.json["jobs"][1]["dependencies"] == [{"job": "n0", "kind": "afterok"}]
    assert not (home / "experiments").exists()
    assert "/jobs/n1" in squares("count=2", "--dryrun").out


def test_a_failed_job_is_code_1_and_the_document_says_which(squares):
    done = squares("first=-1", "--yes", "--json")
    assert done.code == 1
    assert [job["state"] for job in done.json["jobs"]] == ["FAILED", "SKIPPED"]
    assert "ValueError: -1 is negative" in done.err


def test_words_without_a_key_leave_the_context_out(squares):
    done = squares("3", "5", "--yes", "--json")
    assert done.json["results"] == {"n5": 25, "n6": 36, "n7": 49}


def test_fields_of_the_run_reach_the_context(squares):
    done = squares("run.name=named", "run.tail_logs=true", "--yes")
    assert done.code == 0, done.err
    assert "square of 1" in done.out
    assert store.find("named").title == "named"


def test_direct_runs_the_jobs_in_this_process(squares):
    done = squares("--direct", "--json")
    assert done.code == 0, done.err
    assert done.json["results"] == {"n0": 0, "n1": 1}
    assert {job["handle"].partition(":")[0] for job in done.json["jobs"]} == {"direct"}


def test_an_error_of_the_function_itself_is_its_traceback(folder):
    folder.write(
        "broken.py",
        """
        import nemo_run as run

        @run.cli.entrypoint(type="experiment")
        def broken(ctx):
            ctx.experiment.add(1)

        if __name__ == "__main__":
            run.cli.main(broken)
        """,
    )
    done = folder.python("broken.py", "--yes")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("AttributeError: 'RunContext' object has no")
    assert 'broken.py", line 6, in broken' in done.err
    assert "/flow/" not in done.err


def test_several_experiments_are_a_list_in_the_document(folder):
    folder.write(
        "twice.py",
        """
        import nemo_run as run
        from squares import square

        @run.cli.entrypoint(type="experiment")
        def twice(ctx, count: int):
            for n in range(2):
                with run.Experiment("squares") as exp:
                    exp.add(run.Partial(square, n), name="n")
                    ctx.launch(exp)

        if __name__ == "__main__":
            run.cli.main(twice)
        """,
    )
    folder.write("squares.py", SQUARES)
    done = folder.python("twice.py", "count=1", "--yes", "--json")
    assert done.code == 0, done.err
    assert [one["results"] for one in done.json["experiments"]] == [{"n": 0}, {"n": 1}]


def test_a_context_of_ones_own_has_fields_that_the_command_line_sets(folder):
    folder.write(
        "own.py",
        """
        from dataclasses import dataclass

        import nemo_run as run

        @dataclass(kw_only=True)
        class Context(run.cli.RunContext):
            team: str = "nobody"
            limits: tuple[int, ...] = ()

        @run.cli.entrypoint(type="experiment", run_ctx_cls=Context, skip_confirmation=True)
        def show(ctx: Context):
            print(type(ctx).__name__, ctx.team, ctx.limits, ctx.detach)

        if __name__ == "__main__":
            run.cli.main(show, cmd_defaults={"detach": True})
        """,
    )
    done = folder.python("own.py", "run.team=red", "run.limits=1,2")
    assert (done.code, done.out) == (0, "Context red (1, 2) True\n")
    wrong = folder.python("own.py", "run.teem=red")
    assert wrong.code == 2
    assert "Did you mean 'team'?" in wrong.err
