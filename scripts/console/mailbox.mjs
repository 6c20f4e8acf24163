// A mail server for scripts/console-test: writes each mail that it gets as a line of JSON. Usage: node mailbox.mjs PORT FILE

import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';

const [port, file] = process.argv.slice(2);

/** Soft line breaks removed, and headers unfolded. */
function unfold(text) {
    const whole = text.replaceAll('=\r\n', '').replaceAll('=3D', '=');
    return whole.replaceAll(/\r\n[ \t]+/g, ' ').replaceAll('\r\n', '\n');
}

function keep(text) {
    const mail = unfold(text);
    const subject = /^Subject: (.*)$/m.exec(mail)?.[1] ?? '';
    appendFileSync(file, `${JSON.stringify({ subject, text: mail, at: Date.now() })}\n`);
}

/** One conversation; the sender waits for each answer. */
function converse(socket) {
    let input = '';
    let mail = null;
    const answer = words => socket.write(`${words}\r\n`);
    answer('220 mailbox');
    socket.on('error', () => {});
    socket.on('data', data => {
        input += data.toString('utf8');
        for (let end; (end = input.indexOf(mail === null ? '\r\n' : '\r\n.\r\n')) >= 0;) {
            const part = input.slice(0, end);
            input = input.slice(end + (mail === null ? 2 : 5));
            if (mail !== null) {
                keep(part);
                mail = null;
                answer('250 taken');
            } else if (/^DATA/i.test(part)) {
                mail = '';
                answer('354 go on');
            } else if (/^QUIT/i.test(part)) {
                answer('221 bye');
                socket.end();
            } else {
                answer('250 yes');
            }
        }
    });
}

createServer(converse).listen(Number(port), '127.0.0.1');
