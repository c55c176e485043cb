import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerMetrics } from './metrics.ts';

/** A model that cannot be served as it is; the message says what to do. */
export class ServeError extends Error {}

/** What a service is given with a request. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly metrics: ServerMetrics;
  /** Reads the body as JSON. */
  readBody(): Promise<unknown>;
}

/** What a model answers to, besides what every server does. */
export interface Service {
  /** The page at `/`. */
  readonly page: string;
  /** By method and path, such as `POST /v1/classify`. */
  readonly routes: Readonly<Record<string, (exchange: Exchange) => Promise<void>>>;
  /** Gauges of /metrics. */
  gauges(): Readonly<Record<string, number>>;
  /** A command that tries it, for whoever starts the server. */
  example(url: string): string;
  dispose(): void;
}

/** How a model is served. */
export interface ServeOptions {
  /** The folder that the deploy step wrote. */
  readonly dir: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** When set, requests must carry it as a bearer token. */
  readonly key?: string;
  readonly backend?: 'tensorflow' | 'wasm' | 'cpu';
  /** Texts in one pass through the model; the default is 16, for language models 8. */
  readonly maxBatch?: number;
  /** How long a text to classify waits for others; the default is 5 ms. */
  readonly maxWaitMs?: number;
  /** Larger requests are refused; the default is 1 MB. */
  readonly maxBodyBytes?: number;
  /** For language models: tokens of the longest prompt with its answer; the default is 1,024, or less where the model can less. */
  readonly context?: number;
}
