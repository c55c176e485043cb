import { timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import type { Backend } from '@joyul/plugin-api';
import { openPredictor } from '@joyul/training';
import type { Predictor } from '@joyul/training';
import { Batcher } from './batcher.ts';
import { ServerMetrics } from './metrics.ts';
import { formatPage } from './page.ts';

/** How a model is served. */
export interface ServeOptions {
  /** The folder that the deploy step wrote. */
  readonly dir: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** When set, requests must carry it as a bearer token. */
  readonly key?: string;
  readonly backend?: Backend;
  /** Texts in one pass through the model; the default is 16. */
  readonly maxBatch?: number;
  /** How long a text waits for others; the default is 5 ms. */
  readonly maxWaitMs?: number;
  /** Larger requests are refused; the default is 1 MB. */
  readonly maxBodyBytes?: number;
}

/** A running server. */
export interface RunningServer {
  readonly url: string;
  readonly name: string;
  /** Answers what has arrived, then ends. */
  close(): Promise<void>;
}

/** A request that cannot be answered, in the shape that OpenAI's clients read. */
class RequestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | undefined;

  constructor(status: number, code: string, message: string, param?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

interface Golden {
  readonly bound: number;
  readonly rows: readonly { readonly text: string; readonly logits: readonly number[] }[];
}

async function readOptional<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T); // Written by the deploy step.
}

/** Largest difference to the logits that were stored when the model was deployed. */
async function replayGolden(predictor: Predictor, golden: Golden): Promise<number> {
  const predictions = await predictor.predict(golden.rows.map((row) => row.text));
  return Math.max(
    0,
    ...golden.rows.flatMap((row, index) =>
      row.logits.map((logit, at) => Math.abs(logit - (predictions[index]?.logits[at] ?? Number.NaN))),
    ),
  );
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
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
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown; // Checked by parseInput.
  } catch {
    throw new RequestError(400, 'invalid_json', 'The body is not JSON.');
  }
}

/** The texts of a request. */
function parseInput(body: unknown): readonly string[] {
  const input: unknown =
    typeof body === 'object' && body !== null && 'input' in body ? body.input : undefined;
  const texts = typeof input === 'string' ? [input] : input;
  if (Array.isArray(texts) && texts.length > 0 && texts.every((text) => typeof text === 'string'))
    return texts;
  throw new RequestError(400, 'invalid_input', '"input" must be a text or a list of texts.', 'input');
}

const maxTexts = 256;

/** Answers requests about one model. */
class ModelHandler {
  readonly #options: ServeOptions;
  readonly #predictor: Predictor;
  readonly #batcher: Batcher;
  readonly #metrics = new ServerMetrics();
  readonly name: string;
  readonly #created = Math.floor(Date.now() / 1000);

  constructor(options: ServeOptions, predictor: Predictor, name: string) {
    this.#options = options;
    this.#predictor = predictor;
    this.name = name;
    this.#batcher = new Batcher(predictor, {
      maxBatch: options.maxBatch ?? 16,
      maxWaitMs: options.maxWaitMs ?? 5,
    });
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startMs = performance.now();
    const route = (request.url ?? '/').split('?')[0] ?? '/';
    let known = route;
    try {
      await this.#route(`${request.method ?? 'GET'} ${route}`, request, response);
    } catch (error) {
      const told =
        error instanceof RequestError
          ? error
          : new RequestError(500, 'internal_error', 'The model could not answer.');
      if (told.status === 404) known = 'unknown';
      sendJson(response, told.status, {
        error: {
          message: told.message,
          type: told.status < 500 ? 'invalid_request_error' : 'server_error',
          code: told.code,
          param: told.param ?? null,
        },
      });
    }
    this.#metrics.countRequest(known, response.statusCode, (performance.now() - startMs) / 1000);
  }

  async #route(route: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (route) {
      case 'GET /healthz':
      case 'GET /readyz':
        sendJson(response, 200, { status: 'ok', model: this.name });
        return;
      case 'GET /':
        response
          .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
          .end(formatPage(this.name, this.#predictor.labels));
        return;
      case 'GET /metrics':
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(
          this.#metrics.format({
            queue_depth: this.#batcher.depth,
            process_resident_memory_bytes: process.memoryUsage().rss,
          }),
        );
        return;
      case 'GET /v1/models':
        this.#authorize(request);
        sendJson(response, 200, {
          object: 'list',
          data: [{ id: this.name, object: 'model', created: this.#created, owned_by: 'joyul' }],
        });
        return;
      case 'POST /v1/classify':
        this.#authorize(request);
        await this.#classify(request, response);
        return;
      default:
        throw new RequestError(404, 'not_found', `There is nothing at ${route}.`);
    }
  }

  #authorize(request: IncomingMessage): void {
    const { key } = this.#options;
    if (key === undefined) return;
    const given = Buffer.from((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    const wanted = Buffer.from(key);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
      throw new RequestError(401, 'invalid_api_key', 'The bearer token is missing or wrong.');
  }

  async #classify(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const texts = parseInput(await readBody(request, this.#options.maxBodyBytes ?? 1_000_000));
    if (texts.length > maxTexts)
      throw new RequestError(
        400,
        'too_many_inputs',
        `At most ${maxTexts} texts fit in a request, but there are ${texts.length}.`,
        'input',
      );
    const predictions = await this.#batcher.predict(texts);
    const data = predictions.map((prediction, index) => {
      this.#metrics.countPrediction(prediction.label);
      const scores = this.#predictor.labels
        .map((label, at) => ({ label, score: prediction.probabilities[at] ?? 0 }))
        .sort((left, right) => right.score - left.score);
      return {
        index,
        label: prediction.label,
        probs: prediction.probabilities,
        num_classes: scores.length,
        scores,
      };
    });
    sendJson(response, 200, { object: 'list', model: this.name, data });
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const requestTimeoutMs = 30_000;

/**
 * Serves a deployed model over HTTP. It starts only when the model gives the logits that were stored at its
 * deployment, so what is served is what was tested.
 *
 * @throws when the model does not reproduce its stored answers.
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const predictor = await openPredictor(
    options.dir,
    options.backend === undefined ? {} : { backend: options.backend },
  );
  const golden = await readOptional<Golden>(join(options.dir, 'golden.json'));
  const difference = golden === undefined ? 0 : await replayGolden(predictor, golden);
  if (golden !== undefined && !(difference <= golden.bound)) {
    predictor.dispose();
    throw new Error(
      `The model in ${options.dir} does not give its stored answers: logits differ by up to ${difference.toExponential(1)}. It was changed after it was deployed; deploy it again.`,
    );
  }
  const serving = await readOptional<{ readonly name: string }>(join(options.dir, 'serving.json'));
  const handler = new ModelHandler(options, predictor, serving?.name ?? basename(options.dir));
  const server = createServer((request, response) => void handler.handle(request, response));
  server.requestTimeout = requestTimeoutMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return {
    url: `http://${options.host}:${port}`,
    name: handler.name,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
      });
      predictor.dispose();
    },
  };
}
