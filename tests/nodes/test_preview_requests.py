"""Requests for a preview that cannot be answered with one: each answer says why."""

import json

import pytest


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"kind": "model", "steps": [3], "compute": True},
        {"kind": "mlp", "steps": "3", "compute": True},
        {"kind": "mlp", "steps": [20], "compute": True},
        {"kind": "mlp", "steps": [3], "compute": 1},
        {"kind": [], "steps": [1], "compute": True},
    ],
)
def test_an_edit_that_cannot_be_is_refused_with_words(answer, edit):
    status, found = answer(json.dumps({"class": "FEBCacheApply", "sampling": {"steps": 20}, "edit": edit}).encode())
    assert (status, len(found["error"]) > 20) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"class":3}',
        b'{"class":[]}',
        b'{"class":"KSampler"}',
        b'{"class":"FEBCacheApply","widgets":[1]}',
        b'{"class":"FEBCacheApply","widgets":{"mlp_interval":"2"}}',
        b'{"class":"FEBCacheApply","widgets":{"mlp_interval":true}}',
        b'{"class":"FEBCacheApply","sampling":{"steps":NaN}}',
        b'{"class":"FEBCacheApply","sampling":{"steps":1e999}}',
        b'{"class":"FEBCacheApply","sampling":"x"}',
        b'{"class":"FEBCacheApply","sampling":{"sigmas":"1, 0"}}',
        b'{"class":"FEBCacheApply","sampling":{"sigmas":[1,"0"]}}',
        b'{"class":"FEBCacheApply","sampling":{"sigmas":[' + b"1," * 1001 + b"0]}}",
        b'{"class":"ABCacheApply","beside":7}',
        b'{"class":"ABCacheApply","beside":[7]}',
        b'{"class":"ABCacheApply","beside":[{"class":"KSampler"}]}',
        b'{"class":"ABCacheApply","beside":[1,2,3,4,5,6,7,8,9]}',
        b'{"class":"ABCacheApply","plan":7}',
        b'{"class":"ABCacheApply","plan":{"name":7}}',
    ],
)
def test_a_malformed_request_is_answered_with_words(answer, body):
    status, found = answer(body)
    assert (status, len(found["error"]) > 20) == (400, True)


@pytest.mark.parametrize(
    "asked",
    [
        {"class": "x" * 60_000},
        {"widgets": {"preset": "x" * 60_000}},
        {"beside": ["x" * 50_000] * 9},
        {"widgets": {"preset": "custom", "edited_steps": "x" * 60_000}},
        {"widgets": {"mlp_interval": 10**4000}},
        {"sampling": {"steps": 10**4000}},
        {"sampling": {"steps": "9" * 60_000}},
        {"edit": {"kind": "mlp", "steps": list(range(9999)), "compute": True}},
        {"edit": {"kind": "k" * 60_000, "compute": "c"}},
        {"plan": "p" * 60_000},
        {"plan": {"name": "bundled/" + "p" * 60_000}},
    ],
)
def test_an_error_quotes_little_of_a_long_request(answer, asked):
    # Was wrong once (errors.check_choice and others): the answer held the request, nine times over for `beside`.
    assert 20 < len(answer(json.dumps({"class": "FEBCacheApply", **asked}).encode())[1]["error"]) <= 1003


def test_a_schedule_is_no_longer_than_a_sampler_of_comfyui_allows_however_little_of_it_is_sampled(answer):
    # Was wrong once (sigmas.Described): 1000 steps at denoise 0.01 were the last of 100,000, which the server made.
    for sampling, word in (
        ({"steps": 1000, "denoise": 0.01}, "last of 100000"),
        ({"steps": 10_000}, "preview shows 1 to 1000"),
        ({"steps": 1000, "denoise": 0.01, "start": 999}, "last of 100000"),
    ):
        status, found = answer(json.dumps({"class": "FEBCacheApply", "sampling": sampling}).encode())
        assert (status, word in found["error"], found["error"].startswith("steps ")) == (200, True, True)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"widgets": {"mlp_interval": 99}}, "mlp_interval"),
        ({"widgets": {"preset": "none"}}, "preset"),
        ({"widgets": {"stage_boundary": float("nan")}}, "stage_boundary"),
        ({"widgets": {"edited_steps": "reuse both 0"}}, "step 0"),
        ({"sampling": {"steps": 100_000}}, "steps"),
        ({"sampling": {"steps": 0}}, "steps"),
        ({"sampling": {"start": 30}}, "starts at step 30"),
        ({"sampling": {"denoise": 0}}, "denoise"),
        ({"sampling": {"steps": 3, "sigmas": [1, 0.5, 0]}}, "4 for 3 steps"),
        ({"sampling": {"steps": 2, "sigmas": [1, float("nan"), 0]}}, "finite"),
        ({"sampling": {"steps": 2, "sigmas": [0.5, 0.7, 0.9]}}, "first one above the last"),
        ({"sampling": {"steps": 2, "sigmas": [1, -1, 0]}}, "at least 0"),
        ({"plan": {"name": "../x"}}, "no name of a plan"),
        ({"plan": {"name": ""}}, "another node"),
        ({"edit": {"kind": "mlp", "steps": [0], "compute": False}}, "step 0"),
    ],
)
def test_widgets_that_cannot_be_run_are_answered_with_why_and_no_http_error(answer, asked, word):
    status, found = answer(json.dumps({"class": "FEBCacheApply", **asked}).encode())
    assert status == 200
    assert word in found["error"]
