"""An LLM provider that answers what a test says, call by call: for what aimock can't be told to do.

    with ScriptedLlm(lambda call: answered(call, 9)) as provider:
        provider.calls                    # Call, newest last; .situation is what was asked

What the function gives is (status, headers, body); None closes the connection without an answer. It may block: every
call has a thread of its own.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any

from llm_mock import decision

JSON = dict[str, Any]
Reply = tuple[int, dict[str, str], str] | None


class Call:
    def __init__(self, path: str, headers: dict[str, str], body: str):
        self.path, self.headers, self.text = path, {key.lower(): value for key, value in headers.items()}, body
        self.body: JSON = json.loads(body)
        self.situation: JSON = json.loads(self.body["messages"][-1]["content"])

    @property
    def current(self) -> int:
        """Tells workloads with different replica counts apart: names are not sent."""
        return self.situation["currentReplicas"]

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


def answered(call: Call, target: int, **changed: Any) -> Reply:
    """A usable answer in the form of the API that was called."""
    action = "scale_up" if target > call.current else "scale_down" if target < call.current else "maintain"
    text = json.dumps(decision(action, target, **changed))
    if call.path.endswith("/messages"):
        body = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn", "usage": {"input_tokens": 300, "output_tokens": 60}}
    else:
        body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 300, "completion_tokens": 60}}
    return 200, {}, json.dumps(body)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        call = Call(self.path, dict(self.headers.items()), body)
        self.server.calls.append(call)
        reply = self.server.script(call)
        if reply is None:
            self.close_connection = True
            return
        status, headers, text = reply
        data = text.encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True  # who asked is gone

    def log_message(self, *_: object) -> None:
        pass


class ScriptedLlm(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: Callable[[Call], Reply]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.calls = script, []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *reason: object) -> None:
        self.shutdown()
        super().__exit__(*reason)

    def calls_of(self, current: int) -> int:
        return sum(call.current == current for call in self.calls)
