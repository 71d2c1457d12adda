"""WebRTC in a real browser, against the module alone: no signalling, no database."""

import os

from realtime import NODE_FOLDER, run_node_file

RUN_WITHIN_SECONDS = 180.0


def test_data_channels(subtests):
    path = NODE_FOLDER.parent / "browser/rtc.test.mjs"
    run_node_file(dict(os.environ), subtests, path, RUN_WITHIN_SECONDS)
