"""A check as JUnit XML, which CI services show: a test case a verdict."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from ..comparison.verdicts import Check, Mark

# What XML 1.0 cannot hold, however it is written.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(check: Check, *, strict: bool = False, fail_inconclusive: bool = False) -> bytes:
    """The check's verdicts as one test suite: worse fails, what says nothing is skipped, or fails where it must."""
    failing = {Mark.WORSE}
    if strict or not check.comparable:
        failing.add(Mark.NOT_COMPARABLE)
    if fail_inconclusive:
        failing.add(Mark.INCONCLUSIVE)
    skipped = {Mark.INCONCLUSIVE, Mark.NOT_COMPARABLE} - failing
    suite = ET.Element(
        "testsuite",
        name=_text(f"harness check {check.old}"),
        tests=str(len(check.verdicts)),
        failures=str(sum(verdict.mark in failing for verdict in check.verdicts)),
        errors="0",
        skipped=str(sum(verdict.mark in skipped for verdict in check.verdicts)),
    )
    if not check.verdicts:
        # A suite without a case would look like a passed one.
        suite.set("tests", "1")
        suite.set("failures", "1")
        case = ET.SubElement(suite, "testcase", classname=_text(check.new), name="check")
        ET.SubElement(case, "failure", message="nothing to compare", type=str(Mark.NOT_COMPARABLE))
    for verdict in check.verdicts:
        case = ET.SubElement(
            suite, "testcase", classname=_text(verdict.label), name=_text(verdict.figure or "configuration")
        )
        line = _text(verdict.line())
        if verdict.mark in failing:
            ET.SubElement(case, "failure", message=line, type=str(verdict.mark)).text = line
        elif verdict.mark in skipped:
            ET.SubElement(case, "skipped", message=line)
        else:
            ET.SubElement(case, "system-out").text = line
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    content: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _text(given: str) -> str:
    return _ILLEGAL.sub("?", given)
