from engine.project import source
from engine.project.source import Target, is_mail, target_in

CRM = Target(
    url="https://crm.example",
    headers={"Authorization": "live"},
    private=True,
    secret="live-secret",
    user="live-user",
    password="live-password",
    concurrency=3,
    rate="5/s",
    test=source.TestPart(url="https://sandbox.crm.example"),
)


def test_the_test_part_has_the_limits_of_the_target_and_none_of_its_credentials() -> None:
    sandbox = target_in(CRM, "test")
    assert sandbox == Target(url="https://sandbox.crm.example", concurrency=3, rate="5/s")


def test_a_target_without_a_test_part_has_none() -> None:
    assert target_in(Target(url="https://crm.example"), "test") is None
    assert target_in(CRM, "live") is CRM


def test_a_mail_server_is_known_by_its_address() -> None:
    assert is_mail(source.TestPart(url="smtp://mail.example"))
    assert is_mail(Target(url="smtps://mail.example:465"))
    assert not is_mail(CRM)
