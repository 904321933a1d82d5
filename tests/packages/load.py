"""Clients that submit jobs without a pause, each over a new connection, and keep count of what fails."""

import http.client
import json
import threading


class Load:
    """Runs inside `with`; afterwards `sent` says how many were answered, and `lost` what happened to the others."""

    def __init__(self, port=8000, clients=4):
        self.port = port
        self.sent, self.lost = [], []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(clients)]

    def work(self):
        while not self.stop.is_set():
            try:
                self.sent.append(submit(self.port))
            except (OSError, AssertionError, http.client.HTTPException) as error:
                self.lost.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def request(method, path, body=None, headers=None, port=8000):
    """One request over a new connection; gives the status and the text of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def submit(port=8000, queue="load"):
    """Submits a job and gives its id."""
    body = json.dumps({"job_queue": queue})
    status, text = request("POST", "/v1/job", body, {"Content-Type": "application/json"}, port)
    assert status == 200, f"{status}: {text}"
    return json.loads(text)["job_id"]
