import { Command } from 'commander'
import { jsonOption } from '../print.ts'
import { resourceOptions } from '../resource-options.ts'

export function templateCommand(): Command {
  return new Command('template')
    .addCommand(
      new Command('list')
        .description(
          'the templates that there are: of schedulers, those parts that they include, and of profiles',
        )
        .addOption(jsonOption())
        .addHelpText(
          'after',
          '\nExamples:\n  farcall template list\n  farcall template list --json | jq -r .[].file',
        )
        .action(async (options) => (await import('../template/list.ts')).listTemplates(options)),
    )
    .addCommand(
      new Command('show')
        .description('the source of a template on stdout, and on stderr the names that it can use')
        .argument(
          '[name]',
          'slurm, body, parts/end …, as `template list` has them; default: that of the profile',
        )
        .option('--profile <name>', 'the profile whose template that is; default: the configuration’s')
        .addOption(jsonOption())
        .addHelpText(
          'after',
          '\nExamples:\n  farcall template show slurm > mine.sh.liquid\n  farcall template show --profile hpc',
        )
        .action(async (name, options) => (await import('../template/show.ts')).showTemplate(name, options)),
    )
    .addCommand(checkCommand())
}

function checkCommand(): Command {
  const command = new Command('check')
    .description(
      'render a template with these resources and example values, and have a shell read the result',
    )
    .argument('[file]', 'a template of yours; default: that of the profile, else of the scheduler')
    .option(
      '--profile <name>',
      'the profile whose resources and environment count; default: the configuration’s',
    )
    .option('--scheduler <name>', 'instead of a profile: slurm, pbs, sge, torque, kubernetes or direct')
  return resourceOptions(command.addOption(jsonOption()))
    .addHelpText(
      'after',
      `
Nothing is connected and nothing is sent. The script is printed to stdout, as of one call; an array of three is tried as well.
A name that there is not is told with file and line, and so is what the shell of its first line cannot read (sh -n).

Examples:
  farcall template check mine.sh.liquid --scheduler slurm
  farcall template check --profile hpc --memory 4GB --time 1h --gpus a100:2

Exit code: 3 when the template is not valid, or the shell cannot read what it gives; 5 for what the scheduler cannot express.`,
    )
    .action(async (file, options) => (await import('../template/check.ts')).checkTemplate(file, options))
}
