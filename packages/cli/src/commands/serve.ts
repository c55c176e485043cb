import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  port: { type: 'string', short: 'p' },
  host: { type: 'string' },
  backend: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** What the deploy step says that the model in a folder is for; undefined where it says nothing. */
async function readTask(dir: string): Promise<string | undefined> {
  const text = await readFile(join(dir, 'serving.json'), 'utf8').catch(() => '{}');
  return (JSON.parse(text) as { readonly task?: string }).task; // Written by the deploy step.
}

/** `joyul serve`. */
export const serve: Command = {
  usage: `joyul serve FOLDER [flags]

Answers over HTTP with the deployed model in FOLDER, which the deploy step of a pipeline has written.

  -p, --port N            the default is 8080; 0 takes a free one
      --host ADDRESS      the default is 127.0.0.1: this machine only
      --backend NAME      tensorflow, wasm or cpu

It answers POST /v1/classify {"input": "a text"}, and GET /v1/models, /healthz, /readyz and /metrics.
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
    if ((await readTask(dir)) === 'text-generation')
      throw new UsageError(
        `${dir} holds a language model, and serve answers with classifiers only. Hugging Face transformers opens the folder; its README.md says how.`,
      );
    const port = Number(args.value('port') ?? 8080);
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new UsageError(`--port must be a number from 0 to 65535, but is ${args.value('port') ?? ''}.`);
    const { startServer } = await import('@joyul/serve');
    const key = process.env['JOYUL_SERVE_KEY'];
    const backend = (['tensorflow', 'wasm', 'cpu'] as const).find((name) => name === args.value('backend'));
    process.stderr.write(`Loading ${dir}\n`);
    const server = await startServer({
      dir: resolve(dir),
      host: args.value('host') ?? '127.0.0.1',
      port,
      ...(key === undefined ? {} : { key }),
      ...(backend === undefined ? {} : { backend }),
    });
    process.stderr.write(
      `${server.name} answers at ${server.url}\n  curl ${server.url}/v1/classify -H 'content-type: application/json' -d '{"input": "a text"}'\nCtrl-C ends it.\n`,
    );
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
