import type { Graph, GraphStep, PortReference } from '../../src/graph/graph.ts';

/** A step that runs nothing; inputs are written as `step.port`. */
export function fakeStep(
  id: string,
  inputs: readonly string[] = [],
  more: Partial<GraphStep> = {},
): GraphStep {
  const references = inputs.map((text): PortReference => {
    const at = text.lastIndexOf('.');
    return { step: text.slice(0, at), port: text.slice(at + 1) };
  });
  return {
    id,
    group: id.split('@', 1)[0] ?? id,
    plugin: {
      name: 'fake',
      revision: 1,
      inputs: {},
      packageName: 'fake',
      version: '1.0.0',
      entry: '',
      codeDigest: '',
    },
    params: {},
    inputs: references.length === 0 ? {} : { inputs: references },
    outputs: {},
    needs: [...new Set(references.map((reference) => reference.step))].sort(),
    retry: { attempts: 1, delayMs: 0, factor: 1, maxDelayMs: 0, jitter: 0 },
    resources: {},
    cache: 'rw',
    environment: {},
    isEnabled: true,
    workspace: {},
    ...more,
  };
}

/** A graph of steps that are in order. */
export function fakeGraph(steps: readonly GraphStep[], more: Partial<Graph> = {}): Graph {
  return {
    name: 'fake',
    projectDir: '/nowhere',
    file: 'pipeline.yaml',
    params: {},
    seed: 1,
    steps,
    byId: new Map(steps.map((step) => [step.id, step])),
    pools: {},
    ...more,
  };
}
