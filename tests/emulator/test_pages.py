"""The pages of the emulator, where people do what Dags wait for."""

from __future__ import annotations

import pytest
import requests

from tallyfy_emulator import Emulator, ManualClock

from .browser import Browser

EQUIPMENT = {
    "Item": "Laptop",
    "Description": "Two lines\nof text, <b>not bold</b>",
    "Contact": "ada@example.com",
    "Needed by": "2026-12-24",
    "Priority": "urgent",
    "Office": "Oslo",
}


@pytest.fixture
def emulator():
    with Emulator(clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def browser(emulator):
    return Browser(emulator.base_url)


@pytest.fixture
def launch(emulator, browser):
    """Launch an expense approval from its page, and stay on the page of the process."""

    def launch(**answers):
        checklist = emulator.checklist("Expense approval")
        ids = {field["label"]: field["id"] for field in checklist["prerun"]}
        browser.open(f"/tracker/launch/{checklist['id']}")
        form = browser.form_with("Launch")
        for label, value in {"Amount": "1,840.00 EUR", "Reason": "A fair", **answers}.items():
            form.set(ids[label], value)
        browser.press("Launch", form=form)
        return browser.url.rpartition("/")[2]

    return launch


def fields_of(emulator, run_id, step):
    return {field["alias"]: field["id"] for field in emulator.task(run_id, step)["form_fields"]["data"]}


def test_the_root_leads_a_browser_to_the_start_page_and_answers_programs_as_before(emulator, browser):
    browser.open("/")
    assert browser.url == f"{emulator.base_url}/tracker"
    assert requests.get(f"{emulator.base_url}/", timeout=10).status_code == 404
    assert "Expense approval" in browser.text
    assert "Contract review – Quartz data processing addendum" in browser.text
    assert emulator.requests[-1].path == "/"  # pages are not recorded, and what the API answers is
    assert len(emulator.requests) == 1


def test_the_start_page_finds_a_process_by_its_name_and_leads_to_it(emulator, browser):
    browser.open("/tracker")
    form = browser.form_with("Search").set("q", "quartz")
    browser.press("Search", form=form)
    (page,) = [link for link in browser.links if link.startswith("/tracker/") and "launch" not in link]
    browser.open(page)
    assert "Quartz data processing addendum" in browser.text
    assert "Legal review" in browser.text


def test_a_person_launches_a_process_answers_the_form_and_approves(emulator, browser, launch):
    run_id = launch()
    assert "1,840.00 EUR" in browser.text
    fields = fields_of(emulator, run_id, "approve")
    form = browser.form_with("Approve").set(fields["note"], "Within the budget.").set(fields["pay-by"], "payroll")
    browser.press("Approve", form=form)
    task = emulator.task(run_id, "approve")
    assert (task["status"], task["is_approved"]) == ("completed", True)
    assert task["completer_id"] == emulator.people[emulator.username]
    assert "approved by Priya Raman" in browser.text
    assert [each["verb"] for each in emulator.activities if each["auditable_id"] == task["id"]][-1] == ["completed"]
    browser.press("Complete")
    assert emulator.run(run_id)["status"] == "complete"
    assert emulator.fired[-1]["event"] == "process.completed"


def test_what_the_api_refuses_the_page_refuses_and_keeps_what_was_typed(emulator, browser, launch):
    run_id = launch()
    fields = fields_of(emulator, run_id, "approve")
    browser.press("Approve", form=browser.form_with("Approve").set(fields["note"], "Kept?"))
    assert browser.status == 422
    assert "Pay by is required" in browser.text
    assert "Kept?" in browser.source
    assert emulator.task(run_id, "approve")["status"] == "active"


def test_a_rejection_a_reopening_and_a_decision_by_somebody_else(emulator, browser, launch):
    run_id = launch()
    fields = fields_of(emulator, run_id, "approve")
    jonas = emulator.people["jonas.weber@brightwater.example"]
    browser.press("Switch", form=browser.form_with("Switch").set("person", str(jonas)))
    assert browser.url.endswith(run_id)
    browser.press("Reject", form=browser.form_with("Reject").set(fields["pay-by"], "payroll"))
    task = emulator.task(run_id, "approve")
    assert (task["is_approved"], task["completer_id"]) == (False, jonas)
    assert "rejected by Jonas Weber" in browser.text
    browser.press("Reopen")
    assert emulator.task(run_id, "approve")["is_approved"] is None
    assert "Approve" in browser.form_with("Approve").buttons


def test_comments_and_problems_on_a_step_and_on_the_process(emulator, browser, launch):
    run_id = launch()
    browser.press("Comment", form=browser.form_with("Comment").set("content", "Where is the receipt?"))
    browser.press("Report a problem", form=browser.form_with("Comment").set("content", "It is missing."))
    assert emulator.run(run_id)["status"] == "problem"
    browser.press("Resolve the problem")
    assert emulator.run(run_id)["status"] == "active"
    on_the_process = len([form for form in browser.forms if "Report a problem" in form.buttons]) - 1
    form = browser.form_with("Report a problem", on_the_process).set("content", "Wrong amount.")
    browser.press("Report a problem", form=form)
    assert emulator.run(run_id)["status"] == "issue"
    browser.press("Resolve the problem")
    assert [thread["label"] for thread in emulator.threads(run_id)] == [
        "comment",
        "problem",
        "resolve",
        "problem",
        "resolve",
    ]
    browser.press("Comment")
    assert "Write the comment first." in browser.text


def test_archiving_and_taking_out_of_the_archive(emulator, browser, launch):
    run_id = launch()
    browser.press("Archive the process")
    assert emulator.run(run_id)["status"] == "archived"
    browser.press("Take out of the archive")
    assert emulator.run(run_id)["status"] == "active"


def test_each_type_of_field_can_be_filled_and_is_shown(emulator, browser):
    checklist = emulator.checklist("Equipment order")
    fields = {field["label"]: field["id"] for field in checklist["prerun"]}
    browser.open(f"/tracker/launch/{checklist['id']}")
    form = browser.form_with("Launch")
    for label, value in EQUIPMENT.items():
        form.set(fields[label], value)
    form.set(fields["Accessories"], "Bag", "Mouse").set(fields["Quotation"], "https://files.example/quote.pdf")
    form.set(f"{fields['Budget']}-0", "4711").set(f"{fields['Budget']}-1", "100 %")
    form.set(fields["Approvers"], "10202").set(f"{fields['Approvers']}-guests", "eve@example.com, mallory@example.com")
    browser.press("Launch", form=form)
    prerun = emulator.run(browser.url.rpartition("/")[2])["prerun"]
    assert prerun[fields["Office"]]["text"] == "Oslo"
    assert [each["text"] for each in prerun[fields["Accessories"]] if each["selected"]] == ["Bag", "Mouse"]
    assert prerun[fields["Budget"]] == ["4711", "100 %"]
    guests = ["eve@example.com", "mallory@example.com"]
    assert prerun[fields["Approvers"]] == {"users": [10202], "guests": guests}
    assert prerun[fields["Quotation"]] == [{"full_url": "https://files.example/quote.pdf", "filename": "quote.pdf"}]
    for text in (*EQUIPMENT.values(), "Bag", "Account: 4711", "Jonas Weber", *guests):
        assert " ".join(text.split()) in browser.text
    assert "https://files.example/quote.pdf" in browser.links


def test_what_people_wrote_is_text_and_never_markup(emulator, browser, launch):
    attack = '"><script>alert(1)</script>'
    run_id = launch(Amount=attack, Reason=attack)
    browser.press("Comment", form=browser.form_with("Comment").set("content", attack))
    emulator.update_run(run_id, name=attack)
    for page in (f"/tracker/{run_id}", "/tracker", f"/tracker?q={attack}"):
        assert "<script" not in browser.open(page).source
    assert "script-src" not in browser.headers["Content-Security-Policy"]
    assert "default-src 'none'" in browser.headers["Content-Security-Policy"]


def test_an_address_that_runs_code_is_no_link(emulator, browser):
    checklist = emulator.checklist("Equipment order")
    quotation = next(field["id"] for field in checklist["prerun"] if field["label"] == "Quotation")
    run = emulator.add_run(checklist_id=checklist["id"], prerun={quotation: [{"full_url": "javascript:alert(1)"}]})
    browser.open(f"/tracker/{run['id']}")
    assert "javascript:alert(1)" in browser.text
    assert not any(link.startswith("javascript") for link in browser.links)


def test_a_form_of_another_site_does_nothing(emulator, launch):
    run_id = launch()
    page = f"{emulator.base_url}/tracker/{run_id}"
    answer = requests.post(page, {"action": "archive"}, headers={"Origin": "https://evil.example"}, timeout=10)
    assert answer.status_code == 403
    assert emulator.run(run_id)["status"] == "active"


@pytest.mark.parametrize("path", ["/tracker/nothing", "/tracker/launch/nothing", "/tracker/a/b/c"])
def test_what_is_not_there_is_said_on_a_page(browser, path):
    browser.open(path)
    assert browser.status == 404
    assert "/tracker" in browser.links


def test_an_unknown_button_changes_nothing(emulator, launch):
    run_id = launch()
    answer = requests.post(f"{emulator.base_url}/tracker/{run_id}", {"action": "explode"}, timeout=10)
    assert answer.status_code == 422
    assert "There is no such button." in answer.text


@pytest.mark.parametrize("status", ["active", "delayed", "problem", "issue", "complete", "archived"])
def test_a_process_of_any_template_in_any_status_has_a_page(emulator, browser, status):
    for checklist_id in emulator.checklists.values():
        run = emulator.add_run(checklist_id=checklist_id, status=status)
        assert browser.open(f"/tracker/{run['id']}").status == 200


def test_a_generated_process_can_be_seen_and_says_that_it_cannot_change(emulator, browser, connect):
    emulator.add_generated_runs(3)
    (newest,) = connect().list_runs({"sort": "-created_at"}, max_runs=1)
    browser.open(f"/tracker/{newest['id']}")
    assert browser.status == 200
    browser.press("Archive the process")
    assert "exists only as a formula" in browser.text
