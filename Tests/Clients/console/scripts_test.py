#!/usr/bin/env python3
"""The console's terminal and log in a browser without a cluster: what they make of what programs write.

usage: scripts_test.py [path/to/chromium]

The cases are in terminal_cases.js and log_cases.js, which a page loads together with the console's own scripts; what is
wrong is written into the page, and the browser prints it.
"""

import html
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE.parents[2] / "Sources" / "CConsole" / "script"


def main():
    browser = sys.argv[1] if len(sys.argv) > 1 else shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        print("there is no chromium; install one, or name it")
        return 77
    files = [SCRIPTS / "terminal.js", SCRIPTS / "terminal-view.js", SCRIPTS / "log.js"]
    files += [HERE / "terminal_cases.js", HERE / "log_cases.js"]
    with tempfile.TemporaryDirectory() as directory:
        page = pathlib.Path(directory) / "page.html"
        loads = "".join(f'<script src="{file.as_uri()}"></script>' for file in files)
        page.write_text(
            '<!doctype html><meta charset="utf-8"><pre id="said">nothing ran</pre>'
            + loads
            + "<script>let wrong = [];"
            + "try { wrong = checkTerminal().concat(checkLog()); } catch (error) { wrong = [String(error)]; }"
            + "const count = terminalCases.length + logCases.length;"
            + 'document.getElementById("said").textContent = count + " cases\\n" + wrong.join("\\n");</script>',
            encoding="utf-8",
        )
        run = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
             f"--user-data-dir={directory}/profile", "--timeout=30000", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=90, check=False,
        )
    said = re.search(r'<pre id="said">(.*?)</pre>', run.stdout, re.DOTALL)
    lines = html.unescape(said.group(1)).strip().split("\n") if said else [f"the browser said nothing: {run.stderr[-500:]}"]
    counted = re.fullmatch(r"(\d+) cases", lines[0])
    if not counted or int(counted.group(1)) < 90 or len(lines) > 1:
        print("\n".join(lines))
        return 1
    print(f"{lines[0].split()[0]} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
