import { basename } from 'node:path';

/** A file does not hold the weights that it should; the message names the file and the tensor. */
export class WeightsError extends Error {
  constructor(file: string, message: string) {
    super(`${basename(file)}: ${message}`);
    this.name = 'WeightsError';
  }
}
