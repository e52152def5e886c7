"""The login away and back: who is in goes on, nothing opens, and its accounts come back from a backup."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from panosc_dev import deploy
from playwright.sync_api import BrowserContext, expect
from support.browser import CATALOGUE, LOGIN, hits, log_in
from support.cluster import Demo

DATABASE = ("exec", "--stdin", "statefulset/login-postgres", f"--namespace={deploy.NAMESPACE}", "--")
PODS = ("pods", "--selector=app.kubernetes.io/component=login", f"--namespace={deploy.NAMESPACE}")
_ACCOUNT = ("--host=/tmp", "--username=keycloak")
_AS_TOLD = ("--clean", "--if-exists", "--no-owner", "--no-privileges")


def _suspend(demo: Demo, *, suspended: bool) -> None:
    patch = json.dumps({"spec": {"suspend": suspended}})
    demo.kubectl("patch", "federation", "panosc", "--type=merge", f"--patch={patch}")


def _ready_pods(demo: Demo) -> str:
    return demo.kubectl(
        *("get", "deployment", "login", f"--namespace={deploy.NAMESPACE}"),
        *("-o", "jsonpath={.status.readyReplicas}"),
    )


def _replicas(demo: Demo, wanted: int) -> None:
    demo.kubectl(
        "patch", "federation", "panosc", "--type=merge", f'--patch={{"spec":{{"replicas":{wanted}}}}}'
    )
    demo.eventually(lambda: _ready_pods(demo), until=lambda ready: ready == str(wanted), seconds=240)
    # What pods are told changes with their number, so that all of them are made anew.
    demo.eventually(lambda: _pods(demo), until=lambda names: len(names) == wanted, seconds=120)


def _pods(demo: Demo) -> list[str]:
    return demo.kubectl("get", *PODS, "--output=name").split()


@contextmanager
def login_away(demo: Demo) -> Iterator[None]:
    """No pod of it runs, and the operator is told to leave that; afterwards it brings the login back."""
    _suspend(demo, suspended=True)
    demo.kubectl("scale", "deployment/login", "--replicas=0", f"--namespace={deploy.NAMESPACE}")
    demo.eventually(lambda: _ready_pods(demo), until=lambda ready: not ready, seconds=60)
    try:
        yield
    finally:
        _suspend(demo, suspended=False)
        demo.eventually(lambda: _ready_pods(demo), until=lambda ready: ready == "1", seconds=240)


def test_who_is_in_goes_on_while_the_login_is_away_and_nothing_opens(
    demo: Demo, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(f"{CATALOGUE}/search")
    public = hits(page)
    log_in(page, "ada")
    assert hits(page) == public + 2
    with login_away(demo):
        stranger = demo.eventually(
            lambda: demo.get(f"{CATALOGUE}/login").status_code, until=lambda status: status != 200, seconds=60
        )
        assert stranger == 503
        page.goto(f"{CATALOGUE}/search")
        assert hits(page) == public + 2
        forged = demo.get(f"{CATALOGUE}/api/Datasets/count", headers={"Authorization": "Bearer e30.e30.e30"})
        assert forged.status_code in (401, 503)
        assert demo.get(f"{CATALOGUE}/api/Datasets/count").json()["count"] == public
    page.goto(f"{CATALOGUE}/search")
    assert hits(page) == public + 2, "nobody is asked again"
    expect(page.get_by_text("Ada Marsh")).to_be_visible()


def test_a_login_that_is_killed_comes_back_by_itself(demo: Demo, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{CATALOGUE}/search")
    public = hits(page)
    log_in(page, "ada")
    demo.kubectl("delete", *PODS, "--force", "--grace-period=0")
    page.goto(f"{CATALOGUE}/search")
    assert hits(page) == public + 2
    assert demo.get(f"{CATALOGUE}/api/Datasets/count").json()["count"] == public
    demo.eventually(lambda: _ready_pods(demo), until=lambda ready: ready == "1", seconds=240)
    page.goto(f"{CATALOGUE}/search")
    assert hits(page) == public + 2
    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    log_in(page, "ada")
    assert hits(page) == public + 2


def test_of_two_pods_one_may_be_killed_and_sessions_go_on(demo: Demo, context: BrowserContext) -> None:
    _replicas(demo, 2)
    try:
        page = context.new_page()
        page.goto(f"{CATALOGUE}/search")
        log_in(page, "ada")
        killed, _ = _pods(demo)
        demo.kubectl("delete", killed, f"--namespace={deploy.NAMESPACE}", "--force", "--grace-period=0")

        def known() -> bool:
            """By a page of the login itself, whichever pod had let her in."""
            page.goto(f"{LOGIN}/realms/panosc/account/")
            expect(page.get_by_text("Ada Marsh").first).to_be_visible()
            return True

        # Until the gateway has heard of it, requests may meet the pod that is gone.
        demo.eventually(known, until=bool, seconds=30)
        for _ in range(3):
            assert known()
    finally:
        _replicas(demo, 1)


def test_accounts_come_back_from_a_backup(demo: Demo, context: BrowserContext) -> None:
    """By the commands of docs/how-to/federation.md."""
    account = "users", "-r", "panosc", "-q", "username=ada", "--fields", "id"
    before = demo.kcadm("get", *account)
    dump = demo.kubectl(*DATABASE, "pg_dump", *_ACCOUNT, *_AS_TOLD, "keycloak")
    demo.kcadm("delete", f"users/{json.loads(before)[0]['id']}", "-r", "panosc")
    assert json.loads(demo.kcadm("get", *account)) == []
    with login_away(demo):
        restore = ("psql", *_ACCOUNT, "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "keycloak")
        demo.kubectl(*DATABASE, *restore, stdin=dump)
    assert demo.eventually(lambda: demo.kcadm("get", *account), until=bool, seconds=60) == before
    page = context.new_page()
    page.goto(f"{CATALOGUE}/search")
    public = hits(page)
    log_in(page, "ada")
    assert hits(page) == public + 2
