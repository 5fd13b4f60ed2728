// The mails that the service writes to a folder.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

// Quoted-printable and base64 (RFC 2045), as far as a plain text needs them.
function decoded(part) {
  const [head, ...rest] = part.split("\n\n");
  const body = rest.join("\n\n");
  if (/transfer-encoding: *base64/i.test(head)) return Buffer.from(body.replace(/\s/g, ""), "base64").toString();
  if (!/transfer-encoding: *quoted-printable/i.test(head)) return body;
  const bytes = body.replace(/=\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString();
}

function mailsTo(folder, email) {
  let names = [];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".eml"));
  } catch {
    return [];
  }
  const mails = names.sort().map((name) => readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n"));
  const recipient = (mail) => /^To: *<?([^>\n]+)>?$/im.exec(mail)?.[1];
  return mails.filter((mail) => recipient(mail) === email);
}

// Waits for a mail to an address that is not among those that were read, and gives its link.
export async function linkOf(mailbox, email) {
  const give_up = Date.now() + 30_000;
  for (;;) {
    for (const mail of mailsTo(mailbox.folder, email)) {
      const boundary = /boundary="?([^";\n]+)/.exec(mail)?.[1];
      const parts = boundary ? mail.split(`--${boundary}`).slice(1) : [mail];
      const link = parts.map((part) => /https?:\S+token=[0-9a-f]+/.exec(decoded(part.replace(/^\n/, "")))?.[0]);
      const found = link.find(Boolean);
      if (found && !mailbox.read.has(found)) {
        mailbox.read.add(found);
        return found;
      }
    }
    assert.ok(Date.now() < give_up, `no mail to ${email}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
