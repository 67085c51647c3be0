"""Sends this machine's processes as the Process Monitoring API's own client does, then filters them."""

import sys

import psutil
import requests

base, key = sys.argv[1], sys.argv[2]
processes = []
for process in psutil.process_iter(["pid", "name", "cpu_percent", "memory_percent"]):
    processes.append(process.info)
answer = requests.post(base + "/api/process-data/", json={"system_name": "Vinay", "processes": processes})
assert answer.status_code == 201, answer.text
assert answer.json() == {"success": True, "message": "Data received successfully."}, answer.text

reader = {"Authorization": "Api-Key " + key}
page = requests.get(
    base + "/api/process-filter/",
    params={"system_name": "Vinay", "start_time": "00:00:00", "end_time": "23:59:59", "page_size": 10000},
    headers=reader,
)
assert page.status_code == 200, page.text
rows = page.json()["results"]["data"]
assert page.json()["count"] == len(rows) == len(processes), (page.json()["count"], len(rows), len(processes))
sent = {process["pid"]: process for process in processes}
for row in rows:
    process = sent[row["pid"]]
    assert row["system"]["name"] == "Vinay" and row["name"] == process["name"], (row, process)
    # CPU is kept in hundredths of a percent; the share of memory is kept as it was sent.
    if process["cpu_percent"] is not None:
        assert abs(row["cpu_percent"] - process["cpu_percent"]) <= 0.005, (row, process)
    assert row["memory_percent"] == process["memory_percent"], (row, process)

name = psutil.Process().name()
duration = requests.get(
    base + "/api/process-duration/", params={"system_name": "Vinay", "process_name": name}, headers=reader
)
assert duration.status_code == 200 and duration.json()["success"], duration.text
print(len(rows), "processes stored and filtered")
