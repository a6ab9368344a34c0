/// The argument parser's scripts for shells, with what they lack put in.
///
/// They complete `--option value`, and little or nothing of `--option=value`: zsh has to be told that an
/// option takes both, and to bash the second are three words.
enum CompletionScript {
  /// The script, for whichever shell it is.
  static func mended(_ script: String) -> String {
    script.split(separator: "\n", omittingEmptySubsequences: false).map { mended(line: String($0)) }
      .joined(separator: "\n")
  }

  private static func mended(line: String) -> String {
    if let replacement = bash[line] { return replacement }
    // In zsh's words: '--option[What it is for.]:value:ACTION', and without the colons a flag.
    guard line.drop(while: { $0 == " " }).hasPrefix("'--"), line.contains("]:"),
      let bracket = line.firstIndex(of: "[")
    else { return line }
    return line[..<bracket] + "=" + line[bracket...]
  }

  private static let bash = [
    #"    local -r cur="${2}""#: #"""
        # An equals sign between an option and its value is no word of its own here.
        local -a words=()
        local -i index word_count=0
        for index in "${!COMP_WORDS[@]}"; do
            [[ "${COMP_WORDS[index]}" == '=' && "${index}" -lt "${COMP_CWORD}" ]] && continue
            [[ "${COMP_WORDS[index]}" == '=' ]] && words+=('') || words+=("${COMP_WORDS[index]}")
            [[ "${index}" -le "${COMP_CWORD}" ]] && word_count+=1
        done
        local -a COMP_WORDS=("${words[@]}")
        local -i COMP_CWORD="$((word_count - 1))"

        local -r cur="${2}"
    """#,
    #"    local -r prev="${3}""#: #"    local -r prev="${COMP_WORDS[COMP_CWORD - 1]}""#,
    #"        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}""#:
      #"        remaining="${remaining##*([[:space:]=])"${word}"*([[:space:]=])}""#,
  ]
}
