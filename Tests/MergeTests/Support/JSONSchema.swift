import Foundation
import Testing

/// A published JSON schema for the command's output, against which documents can be validated.
struct JSONSchema {
  /// The names of all schemas: one per verb for its report, and one for lines of standard error.
  static let names = [
    "plan", "merge", "verify", "status", "status-list", "list", "devices", "settle", "messages",
  ]

  let name: String

  /// The path of the schema file in the package.
  var path: String { PackageFolder.path("docs/schema/\(name)-1.json") }

  /// Returns the parsed schema file.
  func document() throws -> JSONValue {
    try JSONValue(parsing: String(contentsOfFile: path, encoding: .utf8))
  }

  /// Validates a document with Python's jsonschema, and returns the errors found.
  func complaints(of text: String) throws -> [String] {
    try Self.complaints(of: [(name, text)])
  }

  /// Validates several documents, each against the named schema, and returns the errors found.
  static func complaints(of documents: [(schema: String, text: String)]) throws -> [String] {
    let python = try #require(Machine.pythonWithSchemas)
    let arguments = documents.flatMap { [JSONSchema(name: $0.schema).path, $0.text] }
    let result = try Program.run([python, "-c", script] + arguments)
    guard result.exitStatus == 0 else { throw SupportError(result.standardError) }
    return result.standardOutput.split(separator: "\n").map(String.init)
  }

  // If a document matches none of several alternatives, the errors for each are listed.
  private static let script = """
    import json, sys
    from jsonschema import Draft202012Validator

    def leaves(error):
        for inner in error.context:
            yield from leaves(inner)
        if not error.context:
            yield error

    def no_number(text):
        raise ValueError(text + " is no JSON")

    words = sys.argv[1:]
    for path, text in zip(words[::2], words[1::2]):
        with open(path) as file:
            schema = json.load(file)
        Draft202012Validator.check_schema(schema)
        try:
            document = json.loads(text, parse_constant=no_number)
        except ValueError as error:
            print(f"{schema['$id']}: {error}")
            continue
        for error in Draft202012Validator(schema).iter_errors(document):
            for leaf in leaves(error):
                place = "/".join(str(part) for part in leaf.absolute_path)
                print(f"{schema['$id']}: /{place}: {leaf.message}")
    """
}

extension Trait where Self == ConditionTrait {
  /// Requires python3 with the jsonschema library, which validates documents.
  static var needsJSONSchema: Self {
    .enabled("python3 has no jsonschema that knows draft 2020-12") {
      Machine.pythonWithSchemas != nil
    }
  }
}

extension Machine {
  /// The first python3 that has the jsonschema library; nil if there is none.
  ///
  /// Debian's python3 is tried first because it starts faster than a wrapper script.
  static let pythonWithSchemas: String? = ["/usr/bin/python3", "python3"].first { python in
    let probe = try? Program.run([python, "-c", "from jsonschema import Draft202012Validator"])
    return probe?.exitStatus == 0
  }
}
