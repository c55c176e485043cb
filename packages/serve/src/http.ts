/** What all answers over HTTP have in common. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** One thing that is wrong with a request. */
export interface RequestProblem {
  /** The field, such as `messages[0].content`. */
  readonly param: string;
  readonly message: string;
}

/** A request that cannot be answered, in the shape that OpenAI's clients read. */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | undefined;
  /** Everything that is wrong, where that is told field by field. */
  readonly problems: readonly RequestProblem[] | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    where: { readonly param?: string; readonly problems?: readonly RequestProblem[] } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = where.param ?? where.problems?.[0]?.param;
    this.problems = where.problems;
  }
}

/** The body of an answer that says what is wrong. */
export function formatError(error: RequestError): unknown {
  const { status, message, code, param, problems } = error;
  return {
    error: {
      message,
      type: status < 500 ? 'invalid_request_error' : 'server_error',
      code,
      param: param ?? null,
      ...(problems === undefined ? {} : { problems }),
    },
  };
}

/** What the client is told of an error: its own mistakes in full, ours not. */
export const asRequestError = (error: unknown): RequestError =>
  error instanceof RequestError
    ? error
    : new RequestError(500, 'internal_error', 'The model could not answer.');

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Reads a body that is JSON, up to a size. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    // No encoding is set, so Node gives buffers.
    size += chunk.length;
    if (size > maxBytes)
      throw new RequestError(413, 'request_too_large', `The request is larger than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown; // Checked by who asked.
  } catch {
    throw new RequestError(400, 'invalid_json', 'The body is not JSON.');
  }
}

/** Refuses a request without the bearer token, and one that a page from elsewhere sends. */
export function authorize(request: IncomingMessage, key: string | undefined): void {
  const { origin, host, authorization = '' } = request.headers;
  if (origin !== undefined && origin !== 'null' && URL.parse(origin)?.host !== host)
    throw new RequestError(403, 'foreign_origin', `Pages of ${origin} may not ask this server.`);
  if (key === undefined) return;
  const given = Buffer.from(authorization.replace(/^Bearer /, ''));
  const wanted = Buffer.from(key);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw new RequestError(401, 'invalid_api_key', 'The bearer token is missing or wrong.');
}
