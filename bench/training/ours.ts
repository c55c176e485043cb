/** One case of our side in one process: `node ours.ts SPEC.json`. Writes what it measured as JSON. */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadBinding } from '@joyul/compute';
import { prepareClassifier } from './ours-classifier.ts';
import { prepareGeneration } from './ours-generation.ts';
import { prepareLanguage } from './ours-language.ts';
import type { CaseResult, CaseSpec, Example, Kind } from './spec.ts';
import { Windows } from './windows.ts';

/** How cases are prepared that do not train or evaluate a language model. */
const preparations: Partial<Record<Kind, typeof prepareLanguage>> = {
  minilm: prepareClassifier,
  decode: prepareGeneration,
  decode8: prepareGeneration,
};

/** Passes over the batches where the first one is not counted. */
const raggedPasses = 2;

async function runCase(spec: CaseSpec): Promise<CaseResult> {
  const batches = JSON.parse(readFileSync(spec.batches, 'utf8')) as readonly (readonly Example[])[]; // Written by prepare.ts.
  const { [spec.kind]: prepare = prepareLanguage } = preparations;
  const { facts, steps } = await prepare(spec, batches);
  const passes = spec.isRagged ? raggedPasses : 1;
  const windows = new Windows();
  let firstLossS: number | undefined;
  for (let index = 0; index < passes * steps.length; index++) {
    const step = steps[index % steps.length];
    if (step === undefined) break;
    const loss = await step.run(index + 1);
    firstLossS ??= Date.now() / 1000 - spec.started;
    windows.end({ loss, tokens: step.tokens });
  }
  const native = loadBinding();
  return {
    iterations: windows.iterations,
    firstLossS: firstLossS ?? Number.NaN,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    threads: spec.threads,
    facts: `Node ${process.version}, TensorFlow ${native.isLoaded ? native.version : 'missing'}, ${facts}`,
  };
}

const [file = ''] = process.argv.slice(2);
const spec = JSON.parse(readFileSync(file, 'utf8')) as CaseSpec; // Written by run-case.ts.
writeFileSync(spec.out, JSON.stringify(await runCase(spec)));
