"""What the schemas of the Kubernetes API do not say about the rendered files; called by tests/kubernetes."""

import pathlib
import re
import subprocess
import sys
import tomllib

import yaml

faults = []
checks = 0


def must(holds, fault):
    global checks
    checks += 1
    if not holds:
        faults.append(fault)


def pods(things):
    return [(f"{thing['kind']} {thing['metadata']['name']}", thing["spec"]["template"]["spec"]) for thing in things if thing["kind"] in ("Deployment", "Job")]


def named(things, kind):
    return {thing["metadata"]["name"]: thing for thing in things if thing["kind"] == kind}


def hardened(where, pod):
    must(pod["securityContext"].get("runAsNonRoot") is True, f"{where}: may run as root")
    must(pod.get("automountServiceAccountToken") is False, f"{where}: is given a token of the cluster")
    for container in pod["containers"]:
        security = container["securityContext"]
        must(security.get("readOnlyRootFilesystem") is True, f"{where}: its root file system can be written")
        must(security.get("allowPrivilegeEscalation") is False, f"{where}: may gain privileges")
        must(security["capabilities"]["drop"] == ["ALL"], f"{where}: keeps capabilities")
        must("memory" in container["resources"]["limits"], f"{where}: has no limit on memory")


def watched(where, pod):
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    must(ports == {"http": 8080, "metrics": 9090}, f"{where}: listens on {ports}")
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        must(container[probe]["httpGet"] == {"path": path, "port": "http"}, f"{where}: {probe} does not ask {path}")


def environment(pod, things):
    """The variables the container gets, or None when the overlay brings no Secrets."""
    (container,) = pod["containers"]
    variables = {}
    for source in container["envFrom"]:
        kind, key = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
        thing = named(things, kind).get(source[key]["name"])
        if thing is None:
            return None
        variables |= thing.get("data") or thing["stringData"]
    return variables | {item["name"]: item["value"] for item in container.get("env", [])}


def spools(where, pod):
    """The results of an import wait in a temporary file, and everything else is read-only."""
    (container,) = pod["containers"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
    writable = {volume["name"] for volume in pod.get("volumes", []) if "emptyDir" in volume}
    must(mounted.get("/tmp") in writable, f"{where}: cannot write temporary files")


def starts(where, pod, things, binary):
    variables = environment(pod, things)
    if variables is None:
        return
    (container,) = pod["containers"]
    role = container["args"][2] if container["args"][0] == "serve" else "all"
    ran = subprocess.run([binary, "check", "--role", role], env=variables, capture_output=True, text=True, check=False)
    must(ran.returncode == 0, f"{where}: would not start:\n{ran.stdout}{ran.stderr}")


def complete(where, things, roles):
    """A Deployment, a Service that reaches it and a PodDisruptionBudget for each role."""
    expected = {f"onepool-{role}" for role in roles}
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        must(set(named(things, kind)) == expected, f"{where}: each {kind}: {sorted(named(things, kind))}, each role: {sorted(expected)}")
    for name, deployment in named(things, "Deployment").items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        role = name.removeprefix("onepool-")
        must(deployment["spec"]["template"]["spec"]["containers"][0]["args"] == ["serve", "--role", role], f"{where}: {name} runs something else")
        selectors = {"Service": lambda thing: thing["spec"]["selector"], "PodDisruptionBudget": lambda thing: thing["spec"]["selector"]["matchLabels"]}
        for kind, selector in selectors.items():
            thing = named(things, kind).get(name)
            chosen = thing and selector(thing)
            must(chosen and chosen.items() <= labels.items() and chosen.get("app.kubernetes.io/component") == role, f"{where}: {kind} {name} selects {chosen}")


def roomy(where, things):
    """The inventory's pods have twice the memory that the balances they keep may take: 50 bytes each."""
    defaults = tomllib.loads(pathlib.Path("services/inventory/src/defaults.toml").read_text())
    balances = defaults["inventory"]["max_balances_in_memory"]
    (container,) = named(things, "Deployment")["onepool-inventory"]["spec"]["template"]["spec"]["containers"]
    gibibytes = re.fullmatch(r"(\d+)Gi", container["resources"]["limits"]["memory"])
    must(gibibytes and int(gibibytes[1]) << 30 >= 2 * 50 * balances, f"{where}: the inventory has no room for {balances} balances")


def route(things, path):
    """The service that ingress-nginx sends a path to: the longest pattern that fits."""
    paths = [path for ingress in named(things, "Ingress").values() for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    fitting = [entry for entry in paths if re.match(entry["path"], path)]
    return max(fitting, key=lambda entry: len(entry["path"]))["backend"]["service"]["name"] if fitting else None


def routed(where, things, roles):
    """Every route in the source reaches the service whose source it stands in."""
    call = re.compile(r'Route::(?:get|post|put|patch|delete)\(\s*"(/(?:v1|oauth|\.well-known)[^"]*)"')
    for role in roles:
        sources = pathlib.Path("services", role, "src").rglob("*.rs")
        for path in sorted({path for source in sources for path in call.findall(source.read_text())}):
            reached = route(things, re.sub(r"\{[^}]*\}", "0198", path))
            must(reached == f"onepool-{role}", f"{where}: {path} is sent to {reached} and not to onepool-{role}")


def alerts(folder):
    """Every alert looks at metrics that are documented and leads to a page that is there; the rules alone, for promtool."""
    things = [thing for thing in yaml.safe_load_all((folder / "rendered.yaml").read_text()) if thing]
    spec = named(things, "PrometheusRule")["onepool"]["spec"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(spec))
    documented = set(re.findall(r"`((?:onepool|http)_[a-z_]+)`", pathlib.Path("docs/operations.md").read_text()))
    for rule in (rule for group in spec["groups"] for rule in group["rules"]):
        for metric in re.findall(r"\b(?:onepool|http)_[a-z_]+", rule["expr"]):
            must(re.sub(r"_(?:bucket|count)$", "", metric) in documented, f"{rule['alert']}: {metric} is not in docs/operations.md")
        must(rule["alert"] in pathlib.Path("docs/operations.md").read_text(), f"{rule['alert']}: is not in docs/operations.md")
        page, _, heading = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^#+ (.+)$", pathlib.Path(page).read_text(), re.M)
        must(heading in [re.sub(r"[^a-z0-9-]", "", it.lower().replace(" ", "-")) for it in headings], f"{rule['alert']}: no {heading} in {page}")
    monitor = named(things, "PodMonitor")["onepool"]["spec"]
    for name, deployment in named(things, "Deployment").items():
        template = deployment["spec"]["template"]
        must(monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items(), f"alerts: {name} is not monitored")
        ports = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
        must({it["port"] for it in monitor["podMetricsEndpoints"]} <= ports, f"alerts: {name} has no such port")


binary, folder, *files = sys.argv[1:]
alerts(pathlib.Path(folder))
roles = subprocess.run([binary, "roles"], capture_output=True, text=True, check=True).stdout.split()
for file in files:
    things = [thing for thing in yaml.safe_load_all(pathlib.Path(file).read_text()) if thing]
    where = pathlib.Path(file).stem
    complete(where, things, roles)
    routed(where, things, roles)
    roomy(where, things)
    for name, pod in pods(things):
        hardened(f"{where}: {name}", pod)
        starts(f"{where}: {name}", pod, things, binary)
        if name.startswith("Deployment"):
            watched(f"{where}: {name}", pod)
            spools(f"{where}: {name}", pod)
for fault in faults:
    print(fault)
print(f"kubernetes: {checks - len(faults)} passed, {len(faults)} failed")
sys.exit(bool(faults))
