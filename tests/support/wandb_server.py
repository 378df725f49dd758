"""As much of W&B's server as ``wandb sync`` talks to: it keeps the rows that it is sent where it is told to put them.

The client's protocol asks that of a server; what the real one makes of rows that come twice cannot be seen here.
"""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HISTORY = "wandb-history.jsonl"
# Of files, by the run's id.
Runs = dict[str, dict[str, list[str]]]


@contextmanager
def wandb_server(port: int = 0, runs: Runs | None = None) -> Iterator[tuple[str, Runs]]:
    """A server's address and the runs that it got; with those that another one had, if they are given."""
    runs = {} if runs is None else runs

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing."""

        def _body(self) -> bytes:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

        def _reply(self, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_PUT(self) -> None:
            self._body()
            self._reply({})

        def do_POST(self) -> None:
            body = self._body()
            if self.path.startswith("/graphql"):
                asked = json.loads(body)
                self._reply({"data": self._answer(asked["query"], asked.get("variables") or {})})
                return
            if self.path.endswith("/file_stream"):
                files = runs.setdefault(self.path.split("/")[-2], {})
                for name, file in (json.loads(body).get("files") or {}).items():
                    lines, at = files.setdefault(name, []), file["offset"]
                    lines += [""] * (at - len(lines))
                    lines[at : at + len(file["content"])] = file["content"]
            self._reply({})

        def _answer(self, query: str, given: dict[str, Any]) -> Any:
            name = re.search(r"(?:query|mutation)\s+(\w+)", query)
            asked = name[1] if name else ""
            project = {"id": "p", "name": given.get("project"), "entity": {"id": "e", "name": "e"}}
            run = given.get("name")
            if asked == "UpsertBucket":
                new = run not in runs
                runs.setdefault(str(run), {})
                return {"upsertBucket": {"inserted": new, "bucket": {**_bucket(run, {}), "project": project}}}
            if asked == "RunResumeStatus":
                return {"model": {**project, "bucket": _bucket(run, runs[str(run)]) if run in runs else None}}
            if asked == "CreateRunFiles":
                url = f"http://127.0.0.1:{server.server_port}/upload"
                files = [{"name": file, "uploadUrl": f"{url}/{file}"} for file in given["files"]]
                return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
            viewer = {"id": "u", "entity": "e", "username": "u", "flags": "{}", "teams": {"edges": []}}
            return {"viewer": viewer, "serverInfo": {"features": []}}

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", runs
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _bucket(run: Any, files: dict[str, list[str]]) -> dict[str, Any]:
    history, events = files.get(HISTORY, []), files.get("wandb-events.jsonl", [])
    return {
        "id": f"id-{run}",
        "name": run,
        "displayName": run,
        "description": "",
        "notes": "",
        "tags": [],
        "config": "{}",
        "wandbConfig": '{"t": 1}',
        "sweepName": None,
        "summaryMetrics": (files.get("wandb-summary.json") or ["{}"])[-1],
        "historyLineCount": len(history),
        "eventsLineCount": len(events),
        "logLineCount": 0,
        "historyTail": json.dumps(history[-1:]),
        "eventsTail": json.dumps(events[-1:]),
    }
