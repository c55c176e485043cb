import { stripHtml } from './html.ts';

/** The words of an e-mail: what a person reads, without headers that tell how it was delivered. */
export interface EmailText {
  readonly subject: string;
  readonly body: string;
}

interface Part {
  readonly headers: ReadonlyMap<string, string>;
  readonly content: string;
}

const maxDepth = 8;

// A mail is kept as one character a byte until its parts have told their charset.

/** Splits headers from content (RFC 5322); folded headers are joined, names are in lower case. */
function parsePart(text: string): Part {
  const normalized = text.replace(/\r\n/g, '\n').replace(/^From .*\n/, '');
  const end = normalized.indexOf('\n\n');
  const head = end === -1 ? normalized : normalized.slice(0, end);
  const headers = new Map<string, string>();
  for (const line of head.replace(/\n[ \t]+/g, ' ').split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) headers.set(line.slice(0, at).toLowerCase(), line.slice(at + 1).trim());
  }
  return { headers, content: end === -1 ? '' : normalized.slice(end + 2) };
}

const parameter = (header: string, name: string): string | undefined =>
  new RegExp(`${name}\\s*=\\s*(?:"([^"]*)"|([^;\\s]+))`, 'i')
    .exec(header)
    ?.slice(1)
    .find((value) => value !== undefined);

/** Decodes as UTF-8 where the bytes are, else as the Latin that old mail is written in. */
function decodeUnnamed(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function decodeBytes(bytes: Uint8Array, charset: string | undefined): string {
  // ASCII is what programs claim that do not know; what they send may be anything.
  if (charset === undefined || /^(?:us-ascii|ascii|utf-?8)$/i.test(charset)) return decodeUnnamed(bytes);
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return decodeUnnamed(bytes); // A charset that nobody knows, as junk mail has them.
  }
}

const decodeQuoted = (text: string): Buffer =>
  Buffer.from(
    text
      .replace(/=\n/g, '')
      .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

/** Undoes the transfer encoding (RFC 2045, section 6). */
function decodeContent(part: Part): string {
  const encoding = part.headers.get('content-transfer-encoding')?.toLowerCase() ?? '';
  const charset = parameter(part.headers.get('content-type') ?? '', 'charset');
  if (encoding.includes('base64')) return decodeBytes(Buffer.from(part.content, 'base64'), charset);
  if (encoding.includes('quoted-printable')) return decodeBytes(decodeQuoted(part.content), charset);
  return decodeBytes(Buffer.from(part.content, 'latin1'), charset);
}

/** Decodes words such as `=?iso-8859-1?Q?caf=E9?=` in a header (RFC 2047). */
function decodeHeader(text: string): string {
  return decodeUnnamed(Buffer.from(text, 'latin1'))
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?([^?]+)\?([BQ])\?([^?]*)\?=/gi, (_, charset: string, kind: string, value: string) => {
      const bytes =
        kind.toUpperCase() === 'B' ? Buffer.from(value, 'base64') : decodeQuoted(value.replace(/_/g, ' '));
      return decodeBytes(bytes, charset);
    });
}

/** The readable text of a part: of several alternatives the plain one, attachments left out. */
function readBody(part: Part, depth: number): string {
  const type = part.headers.get('content-type') ?? 'text/plain';
  const boundary = /^multipart\//i.test(type) ? parameter(type, 'boundary') : undefined;
  if (boundary !== undefined && depth < maxDepth) {
    const pieces = part.content
      .split(`--${boundary}`)
      .slice(1)
      .filter((piece) => !piece.startsWith('--'))
      .map(parsePart);
    const plain = pieces.filter((piece) => /^text\/plain|^$/i.test(piece.headers.get('content-type') ?? ''));
    const chosen = /^multipart\/alternative/i.test(type) && plain.length > 0 ? plain : pieces;
    return chosen
      .map((piece) => readBody(piece, depth + 1))
      .join('\n')
      .trim();
  }
  if (/^text\/html/i.test(type)) return stripHtml(decodeContent(part));
  return /^text\//i.test(type) || type === '' ? decodeContent(part) : '';
}

/** Lines that mailing lists add: they say where a mail was delivered, not what it is about. */
const listFooter = /^_{20,}\n[\s\S]*?(?:mailing list|https?:\/\/)[\s\S]*$/m;

/** Subject and body of an e-mail as a person reads them; headers, attachments and list footers are left out. */
export function parseEmail(bytes: Uint8Array): EmailText {
  const part = parsePart(Buffer.from(bytes).toString('latin1'));
  // Mailing lists put their name into the subject, in brackets.
  const subject = decodeHeader(part.headers.get('subject') ?? '').replace(/\[[^\]]{1,20}\]\s*/g, '');
  return { subject, body: readBody(part, 0).replace(listFooter, '').trim() };
}
