"""Mail server for tests. Reports events on standard output and reads commands from standard input.
Both are JSON objects, one per line. Ends when its input ends.

The argument is such an object with port, mode ("starttls", "tls", "clear"), cert, key, user, password,
and smtputf8 to accept non-ASCII addresses.
"""

import asyncio
import email
import email.policy
import json
import logging
import re
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

settings = json.loads(sys.argv[1])
faults = {}
# Faults are injected on purpose, so errors are not logged.
logging.disable()


def tell(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def taken(server, session, envelope):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    bodies = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
    text = bodies.get("text/plain", "").replace("\r\n", "\n")
    link = re.search(r"^https?://\S+$", text, re.MULTILINE)
    tell(
        "mail",
        sender=envelope.mail_from,
        to=envelope.rcpt_tos,
        encrypted=server.transport.get_extra_info("ssl_object") is not None,
        user=session.auth_data,
        headers=[(name, str(value)) for name, value in message.items()],
        subject=str(message["Subject"]),
        text=text,
        html=bodies.get("text/html", "").replace("\r\n", "\n"),
        link=link.group(0) if link else None,
        raw=envelope.content.decode("utf-8", "replace"),
    )


async def fault(step, server):
    """Injects the fault of a step. Returns a reply, or None to continue normally."""
    told = faults.get(step)
    if told is None:
        return None
    if told["times"] is not None:
        told["times"] -= 1
        if told["times"] <= 0:
            del faults[step]
    tell("fault")
    if told["fault"] == "Hang":
        await asyncio.sleep(3600)
    if told["fault"] == "Drop":
        server.transport.abort()
        await asyncio.sleep(3600)
    if "Slow" in told["fault"]:
        await asyncio.sleep(told["fault"]["Slow"] / 1000)
        return None
    return told["fault"]["Reply"]


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = await fault("Sender", server)
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await fault("Recipient", server)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if "Answer" in faults:
            taken(server, session, envelope)
            return await fault("Answer", server) or "250 2.0.0 Taken"
        answer = await fault("Content", server)
        if answer is None:
            taken(server, session, envelope)
        return answer or "250 2.0.0 Taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == settings["user"].encode() and data.password == settings["password"].encode()
    if good:
        return AuthResult(success=True, auth_data=settings["user"])
    return AuthResult(success=False, handled=False, message="535 5.7.8 no such user as " + data.login.decode())


def context():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings["cert"], settings["key"])
    return context


def connection():
    tell("connection")
    mode = settings["mode"]
    return SMTP(
        Handler(),
        hostname="mail.test",
        enable_SMTPUTF8=settings["smtputf8"],
        tls_context=context() if mode == "starttls" else None,
        require_starttls=mode == "starttls",
        auth_required=True,
        auth_require_tls=mode == "starttls",
        authenticator=authenticate,
    )


class Listener:
    server = None

    async def open(self):
        tls = context() if settings["mode"] == "tls" else None
        self.server = await asyncio.get_running_loop().create_server(
            connection, "127.0.0.1", settings["port"], ssl=tls, backlog=512
        )

    async def close(self):
        self.server.close()


async def main():
    listener = Listener()
    await listener.open()
    tell("listening")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        if command["do"] == "fault":
            faults[command["step"]] = command
        elif command["do"] == "mend":
            faults.clear()
        elif command["do"] == "close":
            await listener.close()
        elif command["do"] == "open":
            await listener.open()
        tell("done")


asyncio.run(main())
