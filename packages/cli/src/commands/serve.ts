import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  port: { type: 'string', short: 'p' },
  host: { type: 'string' },
  backend: { type: 'string' },
  context: { type: 'string' },
  batch: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** `joyul serve`. */
export const serve: Command = {
  usage: `joyul serve FOLDER [flags]

Answers over HTTP with the deployed model in FOLDER, which the deploy step of a pipeline has written.

  -p, --port N            the default is 8080; 0 takes a free one
      --host ADDRESS      the default is 127.0.0.1: this machine only
      --backend NAME      tensorflow, wasm or cpu
      --batch N           texts that are worked on at the same time; 16, of language models 8
      --context N         of language models: tokens of a prompt with its answer; 1024

A classifier answers POST /v1/classify {"input": "a text"}. A language model answers as OpenAI's API does, so that
its clients work: POST /v1/chat/completions and /v1/completions, also as a stream. Both answer GET /v1/models,
/healthz, /readyz and /metrics, and show a page to try them at /.
JOYUL_SERVE_KEY, when set, must come as a bearer token.

Examples:
  joyul serve models/quickstart
  joyul serve models/quickstart -p 0 --backend wasm`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const dir = args.positionals[0];
    if (dir === undefined)
      throw new UsageError('Name the folder of a deployed model: `joyul serve models/NAME`.');
    if (!existsSync(join(dir, 'config.json')))
      throw new UsageError(`${dir} holds no deployed model. The deploy step of a pipeline writes one.`);
    const port = readWholeNumber(args, 'port', 0) ?? 8080;
    if (port > 65_535) throw new UsageError(`--port must be at most 65535, but is ${port}.`);
    const maxBatch = readWholeNumber(args, 'batch', 1);
    const context = readWholeNumber(args, 'context', 8);
    const { ServeError, startServer } = await import('@joyul/serve');
    const key = process.env['JOYUL_SERVE_KEY'];
    const backend = (['tensorflow', 'wasm', 'cpu'] as const).find((name) => name === args.value('backend'));
    process.stderr.write(`Loading ${dir}\n`);
    const server = await startServer({
      dir: resolve(dir),
      host: args.value('host') ?? '127.0.0.1',
      port,
      ...(key === undefined ? {} : { key }),
      ...(backend === undefined ? {} : { backend }),
      ...(maxBatch === undefined ? {} : { maxBatch }),
      ...(context === undefined ? {} : { context }),
    }).catch((error: unknown) => {
      if (!(error instanceof ServeError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return undefined;
    });
    if (server === undefined) return exitCodes.stepFailed;
    process.stderr.write(`${server.name} answers at ${server.url}\n  ${server.example}\nCtrl-C ends it.\n`);
    await new Promise<void>((end) => {
      process.once('SIGINT', () => {
        end();
      });
      process.once('SIGTERM', () => {
        end();
      });
    });
    await server.close();
    return exitCodes.done;
  },
};
