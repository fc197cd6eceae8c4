# SPDX-License-Identifier: MIT
"""Commands of the relay that a test talks to, by hdctl."""
import contextlib
import json
import os
import socket
import subprocess

HDCTL = os.environ.get("HDCTL", "hdctl")


def command(control, *words):
    """The words of a command as they are run, for the relay of this socket."""
    return [HDCTL, "--socket", control, "--json", *words]


def run(control, *words):
    """Runs a command, which may be refused."""
    return subprocess.run(command(control, *words), capture_output=True,
                          check=False)


def at(control):
    """hdctl(*words): what a command answers; fails if it is refused."""
    def hdctl(*words):
        done = run(control, *words)
        assert done.returncode == 0, (words, done)
        return json.loads(done.stdout or b"null")
    return hdctl


@contextlib.contextmanager
def watch(control, *names):
    """Events of these names from now on, each as the control socket gives it."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(control)
        with sock.makefile("rw", encoding="utf-8") as lines:
            lines.write(json.dumps({"cmd": ["watch", *names]}) + "\n")
            lines.flush()
            answer = json.loads(lines.readline())
            assert answer["ok"], answer
            yield (json.loads(line) for line in lines)
