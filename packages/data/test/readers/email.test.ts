import { expect, test } from 'vitest';
import { parseEmail, stripHtml } from '../../src/index.ts';

const mail = (...lines: string[]): Buffer => Buffer.from(lines.join('\r\n'));

test('subject and body are kept, and every header that tells how it was delivered is not', () => {
  const bytes = mail(
    'From someone@example.org  Thu Aug 22 15:25:29 2002',
    'Received: from spam.example (10.0.0.1)',
    '\tby mx.example',
    'X-Spam-Status: Yes',
    'Subject: Re: [ilug] A long',
    ' subject',
    '',
    'Hello.',
  );
  expect(parseEmail(bytes)).toEqual({ subject: 'Re: A long subject', body: 'Hello.' });
});

test('of alternatives the plain text is read; attachments are not', () => {
  const bytes = mail(
    'Subject: x',
    'Content-Type: multipart/mixed; boundary="outer"',
    '',
    'preamble',
    '--outer',
    'Content-Type: multipart/alternative; boundary=inner',
    '',
    '--inner',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'caf=C3=A9 is=',
    ' open',
    '--inner',
    'Content-Type: text/html',
    '',
    '<b>never read</b>',
    '--inner--',
    '--outer',
    'Content-Type: application/pdf',
    'Content-Transfer-Encoding: base64',
    '',
    'JVBERi0=',
    '--outer--',
  );
  expect(parseEmail(bytes).body).toBe('café is open');
});

test.each([
  ['iso-8859-1', Buffer.from('caf\xe9', 'latin1'), 'café'],
  ['euc-kr', Buffer.from([0xb0, 0xa1]), '가'],
  ['us-ascii', Buffer.from('na\xefve', 'latin1'), 'naïve'],
  ['no-such-charset', Buffer.from('caf\xe9', 'latin1'), 'café'],
  ['utf-8', Buffer.from('日本'), '日本'],
])('8-bit text in %s is decoded', (charset, content, expected) => {
  const head = Buffer.from(
    `Content-Type: text/plain; charset=${charset}\nContent-Transfer-Encoding: 8bit\n\n`,
  );
  expect(parseEmail(Buffer.concat([head, content])).body).toBe(expected);
});

test('words that headers encode are decoded', () => {
  const bytes = mail('Subject: =?iso-8859-1?Q?caf=E9_and?= =?utf-8?B?IOuCmA==?=', '', 'x');
  expect(parseEmail(bytes).subject).toBe('café and 나');
});

test('base64 HTML becomes text', () => {
  const html = Buffer.from('<html><style>p{}</style><p>One&nbsp;&amp; two</p><p>3 &lt; 4</p>').toString(
    'base64',
  );
  const bytes = mail('Content-Type: text/html', 'Content-Transfer-Encoding: base64', '', html);
  expect(parseEmail(bytes).body).toBe('One & two\n\n3 < 4');
});

test('the footer of a mailing list is left out', () => {
  const bytes = mail(
    'Subject: x',
    '',
    'Words.',
    '_______________________________________________',
    'Some mailing list',
    'http://lists.example/x',
  );
  expect(parseEmail(bytes).body).toBe('Words.');
});

test('HTML without an end, comments, unknown and broken entities do no harm', () => {
  expect(stripHtml('a<!-- b --> c<script>x</scr')).toBe('a c ');
  expect(stripHtml('1 < 2 &unknown; &#233; &#xD800; &#9999999;')).toBe('1 < 2 &unknown; é    ');
});

test('a mail of headers only, and an empty one, have an empty body', () => {
  expect(parseEmail(mail('Subject: x'))).toEqual({ subject: 'x', body: '' });
  expect(parseEmail(Buffer.alloc(0))).toEqual({ subject: '', body: '' });
});
