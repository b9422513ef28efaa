from html import escape
from typing import Annotated

from msgspec import Meta

from engine.flow.mail_address import address_defect, ascii_address, has_encoded_word
from engine.flow.message import MailMessage, Message
from engine.flow.node import Escaped, Fixed, NodeContext, Reference, Text
from nodes.delivery import Delivery

_MAX_SUBJECT = 500  # characters
_Address = Annotated[str, Meta(description="A mail has one recipient; for several, let `each` send one to each")]


class DeliverEmail(Delivery, frozen=True, kw_only=True, tag="deliver.email"):
    """Send a mail after the event is committed.

    The target is a mail server. A mail that it does not take for now is sent again for days. Its `Message-ID` is made
    from the id of the delivery, so it is the same each time.
    """

    target: Annotated[
        str,
        Fixed(),
        Reference("mail-target", unless=("sender", "sender-target")),
        Meta(description="The name of the target in headrace.yaml, a mail server", examples=["mail"]),
    ]
    to: Annotated[_Address, Meta(description="The address of one recipient", examples=["{{ profile.pii.email }}"])]
    subject: Annotated[Text, Meta(description="The subject, in one line", examples=["Welcome"])]
    text: Annotated[Text, Meta(description="The mail as plain text", examples=["Hello {{ profile.pii.name }}!"])]
    html: Annotated[
        Text,
        Escaped("HTML-escaped", escape, whole=False),
        Meta(
            description="The mail as HTML, beside the plain text; a template that is the whole value is HTML already",
            examples=["<p>Hello {{ profile.pii.name }}!</p>"],
        ),
    ] = ""
    sender: Annotated[
        Text,
        Meta(description="The address from which it comes; default: that of the target", examples=["hi@shop.example"]),
    ] = ""
    reply_to: Annotated[
        Text, Meta(description="The address to which an answer goes", examples=["help@shop.example"])
    ] = ""

    examples = (
        """\
welcome:
  deliver.email:
    target: mail
    to: "{{ event.properties.email }}"
    subject: Welcome
    text: "Thank you for order {{ event.properties.order_id }}."
    html: "<p>Thank you for order <b>{{ event.properties.order_id }}</b>.</p>"
    reply_to: Shop <help@shop.example>
""",
    )

    def message(self, context: NodeContext) -> Message | str:
        """Return the mail, or why an address or its subject is not valid."""
        addresses = {"to": self.to} | {
            name: text for name, text in (("sender", self.sender), ("reply_to", self.reply_to)) if text
        }
        for name, text in addresses.items():
            if defect := address_defect(text):
                return f"`{name}` {defect}"
        if not self.subject.strip() or len(self.subject) > _MAX_SUBJECT or not self.subject.isprintable():
            return f"`subject` is a line of 1 to {_MAX_SUBJECT} printable characters"
        if has_encoded_word(self.subject):
            return "`subject` has an encoded word (`=?…?=`)"
        if not self.text.strip():
            return "`text` is empty"
        to, sender, reply_to = (ascii_address(text) for text in (self.to, self.sender, self.reply_to))
        return MailMessage(to, self.subject.strip(), self.text, self.html, sender, reply_to)
