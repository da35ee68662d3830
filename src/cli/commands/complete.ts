import { Command } from 'commander'

/** For the help; what it does needs all other commands, and is done in ../completion.ts before they are parsed. */
export function completeCommand(): Command {
  return new Command('complete').argument('<shell>').addHelpText(
    'after',
    `
Commands, options, profiles and job ids are completed.

Examples:
  echo 'source <(farcall complete bash)' >> ~/.bashrc       needs the package bash-completion
  echo 'source <(farcall complete zsh)' >> ~/.zshrc         after compinit
  farcall complete fish > ~/.config/fish/completions/farcall.fish`,
  )
}
