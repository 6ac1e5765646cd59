"""The guard of instructions, held to what it promises: python3 scripts/test_bench_guard.py."""

import contextlib
import io
import json
import pathlib
import platform
import tempfile
import unittest

import bench_guard

BASELINE = {"parse::offer": 1000, "live::relay": 20000}


def gungraun_line(name, count):
    """As gungraun 0.20 says it, less what is not read."""
    function, case = name.split("::")
    total = {"metrics": {"Ir": {"values": {"new": count, "old": 1}}}, "regressions": []}
    profile = {"tool": "Callgrind", "data": {"total": total}}
    return json.dumps({"function_name": function, "id": case, "profiles": [profile]})


class Guard(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.baseline = pathlib.Path(folder.name, "baseline.json")
        self.counts = pathlib.Path(folder.name, "instructions.json")
        self.run_with(BASELINE, "--update")

    def run_with(self, counts, *options):
        """The exit code and all that was said."""
        self.counts.write_text("\n".join(gungraun_line(*case) for case in counts.items()), encoding="utf-8")
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = bench_guard.main([*options, str(self.baseline), str(self.counts)])
            except SystemExit as end:
                code = end.code
        return code or 0, said.getvalue()

    def test_the_least_count_of_several_runs_holds(self):
        runs = [BASELINE | {"parse::offer": 2000}, BASELINE | {"live::relay": 40000}]
        paths = [self.counts.with_name(f"run-{number}.json") for number in range(len(runs))]
        for path, counts in zip(paths, runs):
            path.write_text("\n".join(gungraun_line(*case) for case in counts.items()), encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            codes = [bench_guard.main([str(self.baseline), *map(str, some)]) for some in (paths[:1], paths[1:], paths)]
        self.assertEqual([bool(code) for code in codes], [True, True, False])

    def test_the_same_counts_pass(self):
        self.assertEqual(self.run_with(BASELINE)[0], 0)

    def test_a_little_more_passes_and_much_more_fails_by_name(self):
        self.assertEqual(self.run_with(BASELINE | {"live::relay": 22999})[0], 0)
        code, said = self.run_with(BASELINE | {"live::relay": 23001})
        self.assertEqual(code, 1)
        self.assertIn("FAILED: live::relay\n", said)
        self.assertIn("+15.0% IS MORE THAN +15%", said)

    def test_twice_as_much_is_told_as_such(self):
        code, said = self.run_with(BASELINE | {"parse::offer": 2000})
        self.assertEqual(code, 1)
        self.assertRegex(said, r"parse::offer +1000 +2000  \+100\.0%")

    def test_much_less_passes_and_is_told(self):
        code, said = self.run_with(BASELINE | {"parse::offer": 500})
        self.assertEqual(code, 0)
        self.assertIn("refresh the baseline", said)

    def test_a_case_that_was_not_run_fails(self):
        code, said = self.run_with({"live::relay": 20000})
        self.assertEqual(code, 1)
        self.assertIn("FAILED: parse::offer", said)
        self.assertIn("WAS NOT RUN", said)

    def test_no_case_at_all_fails(self):
        self.assertEqual(self.run_with({})[0], 1)
        self.assertNotEqual(self.run_with({}, "--update")[0], 0)
        self.assertEqual(self.run_with(BASELINE)[0], 0, "the baseline is as it was")

    def test_a_case_without_a_baseline_fails(self):
        code, said = self.run_with(BASELINE | {"parse::new": 1})
        self.assertEqual(code, 1)
        self.assertIn("IS NOT IN THE BASELINE", said)

    def test_each_architecture_has_its_own(self):
        entries = json.loads(self.baseline.read_text(encoding="utf-8"))
        self.baseline.write_text(json.dumps({"abacus": entries[platform.machine()]}), encoding="utf-8")
        code, _ = self.run_with(BASELINE)
        self.assertIn(f"nothing for {platform.machine()}", str(code))
        self.run_with(BASELINE, "--update")
        self.assertEqual(set(json.loads(self.baseline.read_text(encoding="utf-8"))), {"abacus", platform.machine()})

    def test_another_compiler_is_named_when_it_fails(self):
        entries = json.loads(self.baseline.read_text(encoding="utf-8"))
        entries[platform.machine()]["made_with"]["rustc"] = "rustc 1.0.0"
        self.baseline.write_text(json.dumps(entries), encoding="utf-8")
        _, said = self.run_with(BASELINE | {"parse::offer": 2000})
        self.assertIn("rustc 1.0.0 there, rustc 1.", said)


if __name__ == "__main__":
    unittest.main()
