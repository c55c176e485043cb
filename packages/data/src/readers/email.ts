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

function decodeBytes(bytes: Buffer, charset: string): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return bytes.toString('latin1'); // A charset that nobody knows, as junk mail has them.
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
  const charset = parameter(part.headers.get('content-type') ?? '', 'charset') ?? 'utf-8';
  if (encoding.includes('base64')) return decodeBytes(Buffer.from(part.content, 'base64'), charset);
  if (encoding.includes('quoted-printable')) return decodeBytes(decodeQuoted(part.content), charset);
  return part.content;
}

/** Decodes words such as `=?iso-8859-1?Q?caf=E9?=` in a header (RFC 2047). */
function decodeHeader(text: string): string {
  return text
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?([^?]+)\?([BQ])\?([^?]*)\?=/gi, (_, charset: string, kind: string, value: string) => {
      const bytes =
        kind.toUpperCase() === 'B' ? Buffer.from(value, 'base64') : decodeQuoted(value.replace(/_/g, ' '));
      return decodeBytes(bytes, charset);
    });
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  copy: '©',
  reg: '®',
};

/** The words of an HTML page. */
export function stripHtml(html: string): string {
  return html
    .replace(/<(script|style|head|title)\b[\s\S]*?(?:<\/\1\s*>|$)/gi, ' ')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<\/?(?:p|div|br|tr|li|h[1-6]|table|td)\b[^>]*>/gi, '\n')
    .replace(/<[^>]*>/g, '')
    .replace(/&(#x?[0-9a-f]+|\w+);/gi, (whole, name: string) => {
      if (!name.startsWith('#')) return entities[name.toLowerCase()] ?? whole;
      const code =
        name[1]?.toLowerCase() === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : ' ';
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
export function parseEmail(text: string): EmailText {
  const part = parsePart(text);
  const subject = decodeHeader(part.headers.get('subject') ?? '').replace(/\[[^\]]{1,20}\]\s*/g, '');
  return { subject, body: readBody(part, 0).replace(listFooter, '').trim() };
}
