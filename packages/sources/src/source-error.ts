/** A source cannot be had; the message says which and why, `help` what to do. */
export class SourceError extends Error {
  readonly code: 'UNREACHABLE' | 'OFFLINE' | 'HTTP' | 'INTEGRITY' | 'NOT_FOUND' | 'REFERENCE' | 'ARCHIVE';
  readonly help: string;

  constructor(
    code: SourceError['code'],
    message: string,
    help: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
    this.name = 'SourceError';
    this.code = code;
    this.help = help;
  }
}
