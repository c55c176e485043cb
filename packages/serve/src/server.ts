import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import { openStepModel } from '@joyul/training';
import { openClassifierService } from './classifier-service.ts';
import { RequestError, asRequestError, authorize, formatError, readBody, sendJson } from './http.ts';
import { openLanguageService } from './language/language-service.ts';
import { ServerMetrics } from './metrics.ts';
import { ServeError } from './service.ts';
import type { ServeOptions, Service } from './service.ts';

/** A running server. */
export interface RunningServer {
  readonly url: string;
  readonly name: string;
  /** A command that tries it. */
  readonly example: string;
  /** Answers what has arrived, then ends. */
  close(): Promise<void>;
}

const defaultBodyBytes = 1_000_000;

/** Answers requests about one model. */
class ModelHandler {
  readonly #options: ServeOptions;
  readonly #service: Service;
  readonly #metrics = new ServerMetrics();
  readonly #name: string;
  readonly #created = Math.floor(Date.now() / 1000);

  constructor(options: ServeOptions, service: Service, name: string) {
    this.#options = options;
    this.#service = service;
    this.#name = name;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startMs = performance.now();
    const route = (request.url ?? '/').split('?')[0] ?? '/';
    let known = route;
    try {
      await this.#route(`${request.method ?? 'GET'} ${route}`, request, response);
    } catch (error) {
      const told = asRequestError(error);
      if (told.status === 404) known = 'unknown';
      if (response.headersSent) response.end();
      else sendJson(response, told.status, formatError(told));
    }
    this.#metrics.countRequest(known, response.statusCode, (performance.now() - startMs) / 1000);
  }

  async #route(route: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (route) {
      case 'GET /healthz':
      case 'GET /readyz':
        sendJson(response, 200, { status: 'ok', model: this.#name });
        return;
      case 'GET /':
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(this.#service.page);
        return;
      case 'GET /metrics':
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(
          this.#metrics.format({
            ...this.#service.gauges(),
            process_resident_memory_bytes: process.memoryUsage().rss,
          }),
        );
        return;
      case 'GET /v1/models':
        authorize(request, this.#options.key);
        sendJson(response, 200, {
          object: 'list',
          data: [{ id: this.#name, object: 'model', created: this.#created, owned_by: 'joyul' }],
        });
        return;
      default: {
        const { routes } = this.#service;
        const answer = Object.hasOwn(routes, route) ? routes[route] : undefined;
        if (answer === undefined) throw new RequestError(404, 'not_found', `There is nothing at ${route}.`);
        authorize(request, this.#options.key);
        const maxBytes = this.#options.maxBodyBytes ?? defaultBodyBytes;
        const metrics = this.#metrics;
        await answer({ request, response, metrics, readBody: () => readBody(request, maxBytes) });
      }
    }
  }
}

const requestTimeoutMs = 30_000;

/** Whether a folder holds what continues texts; one that nobody deployed says so by its model. */
async function isLanguageModel(dir: string, task: string | undefined): Promise<boolean> {
  if (task !== undefined) return task === 'text-generation';
  const { architecture } = await openStepModel(
    dir,
    'Name a folder that deploy wrote, or a model with whole files.',
  );
  return architecture === 'llama';
}

async function openService(options: ServeOptions, name: string, task: string | undefined): Promise<Service> {
  const open = (await isLanguageModel(options.dir, task)) ? openLanguageService : openClassifierService;
  return open(options, name);
}

const describeFailure = ({ message, problems, help }: StepFailure): string =>
  [message, ...problems.map((problem) => problem.message), help ?? ''].join(' ').trim();

/**
 * Serves a deployed model over HTTP. It starts only when the model gives the logits that were stored at its
 * deployment, so what is served is what was tested.
 *
 * @throws ServeError when the folder cannot be served, or the model does not reproduce its stored answers.
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { dir, host, port } = options;
  const text = await readFile(join(dir, 'serving.json'), 'utf8').catch(() => '{}');
  const serving = JSON.parse(text) as { readonly name?: string; readonly task?: string }; // Written by the deploy step.
  const name = serving.name ?? basename(dir);
  const service = await openService(options, name, serving.task).catch((error: unknown) => {
    throw error instanceof StepFailure ? new ServeError(describeFailure(error), { cause: error }) : error;
  });
  const handler = new ModelHandler(options, service, name);
  const server = createServer((request, response) => void handler.handle(request, response));
  server.requestTimeout = requestTimeoutMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : port;
  const url = `http://${host}:${taken}`;
  return {
    url,
    name,
    example: service.example(url),
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
      });
      service.dispose();
    },
  };
}
