"""Lets a real Prometheus watch a demo lab, and asks it everything that the alert rules and the dashboard ask.

    run.py BINARY [PICTURE]     draws the dashboard's answers, too, which needs matplotlib
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PACK = Path(__file__).resolve().parents[2] / "packaging/monitoring"
SECONDS = 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, look):
    for _ in range(600):
        try:
            if found := look():
                return found
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)
    raise SystemExit(f"FAILED: {what} did not come")


def send(method, url, body=None, kind="application/json"):
    request = urllib.request.Request(url, body, {"Content-Type": kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
    except (urllib.error.HTTPError, json.JSONDecodeError):
        return None


def load(url, until):
    """What a demo lab does not do by itself."""
    while time.monotonic() < until:
        job = send("POST", f"{url}/v1/job", b'{"job_queue":"nobody","reserve_data":{}}')["job_id"]
        send("POST", f"{url}/v1/result/{job}/output", b"a line of a log\n" * 100, "text/plain")
        fragment = {"fragment_number": 0, "timestamp": "2026-11-23T12:00:00Z", "phase": "test", "log_data": "x" * 500}
        send("POST", f"{url}/v1/result/{job}/log/serial", json.dumps(fragment).encode())
        send("POST", f"{url}/v1/job/{job}/action", b'{"action":"cancel"}')
        send("POST", f"{url}/v1/job", b'{"job_queue":"nobody"}')
        send("POST", f"{url}/v1/client-permissions", b"{}")
        send("GET", f"{url}/v1/oauth2/token")
        refuse(url)
        time.sleep(0.1)


def refuse(url):
    """Says that a body is too large, without sending it."""
    host = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=10)
    host.putrequest("POST", "/v1/job")
    host.putheader("Content-Length", str(1 << 40))
    host.endheaders()
    host.getresponse().read()
    host.close()


class Prometheus:
    def __init__(self, work, target):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(PACK / "alerts.yml")],
            "scrape_configs": [{"job_name": "testflinger", "static_configs": [{"targets": [target]}]}],
        }
        # JSON is YAML.
        (work / "prometheus.yml").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={work}/prometheus.yml", f"--storage.tsdb.path={work}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])
        wait_for("Prometheus", lambda: send("GET", f"{self.url}/api/v1/targets"))

    def ask(self, path, **query):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        answer = send("GET", url)
        if not answer or answer["status"] != "success":
            raise SystemExit(f"FAILED: {query} is not answered: {answer}")
        return answer["data"]


def main():
    binary, picture = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        subprocess.run(["promtool", *command], cwd=PACK, check=True)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        processes = []
        try:
            failed = run(binary, work, processes, picture)
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
                process.wait()
    if failed:
        raise SystemExit("FAILED:\n" + "\n".join(failed))


def run(binary, work, processes, picture):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (work / "lab").mkdir()
    demo = subprocess.Popen(
        [binary, "demo", "--listen", f"127.0.0.1:{port}", "--past", "30m", "--pace", "1s"],
        env={**os.environ, "TMPDIR": str(work / "lab")}, stdout=subprocess.DEVNULL)
    processes.append(demo)
    wait_for("the demo lab", lambda: urllib.request.urlopen(f"{url}/healthz"))
    data = wait_for("its data", lambda: next((work / "lab").glob("**/admin.sock"), None)).parent
    prometheus = Prometheus(work, f"127.0.0.1:{port}")
    processes.append(prometheus.process)
    begun = time.time()
    loaders = [threading.Thread(target=load, args=(url, time.monotonic() + SECONDS)) for _ in range(2)]
    for loader in loaders:
        loader.start()
    subprocess.run([binary, "backup", work / "lab.tar", "--data-dir", data], check=True)
    for loader in loaders:
        loader.join()
    failed = []
    if any(target["health"] != "up" for target in prometheus.ask("targets")["activeTargets"]):
        failed.append("Prometheus cannot read /metrics")
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    failed += [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] != "ok"]
    # A name that no metric has would never be noticed otherwise.
    known = set(prometheus.ask("label/__name__/values"))
    for rule in rules:
        names = {word for word in words(rule["query"]) if word.startswith(("testflinger_", "flask_"))}
        failed += [f"{rule['name']}: there is no {name}" for name in names - known]
    print(f"{len(rules)} rules were evaluated")
    panels = json.loads((PACK / "dashboard.json").read_text())["panels"]
    answers = []
    for panel in panels:
        for target in panel["targets"]:
            query = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "5s")
            series = prometheus.ask("query_range", query=query, start=begun, end=time.time(), step=1)["result"]
            answers.append((panel, target, series))
            if not series:
                failed.append(f"{panel['title']}: {query} has no answer")
    print(f"{len(panels)} panels with {len(answers)} queries were answered")
    if picture:
        draw(panels, answers, picture)
    return failed


def words(query):
    word = ""
    for c in query + " ":
        if c.isalnum() or c == "_":
            word += c
        elif word:
            yield word
            word = ""


def draw(panels, answers, picture):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 7})
    rows = (len(panels) + 2) // 3
    figure, grid = pyplot.subplots(rows, 3, figsize=(13, 2 * rows))
    for panel, axes in zip(panels, grid.flat):
        axes.set_title(f"{panel['title']} [{panel['fieldConfig']['defaults']['unit']}]", loc="left", fontsize=8)
        for of, target, series in answers:
            if of is not panel:
                continue
            for one in series[:8]:
                label = target["legendFormat"]
                for name, value in one["metric"].items():
                    label = label.replace("{{" + name + "}}", value)
                begun = one["values"][0][0]
                axes.plot([at - begun for at, _ in one["values"]], [float(value) for _, value in one["values"]], label=label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=5, loc="upper left")
    for axes in grid.flat[len(panels):]:
        axes.remove()
    figure.tight_layout()
    figure.savefig(picture, dpi=80)


main()
