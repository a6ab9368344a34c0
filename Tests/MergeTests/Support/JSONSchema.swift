import Foundation
import Testing

/// A published schema of the command's output, with a check of documents against the schema.
struct JSONSchema {
  /// Names of the schemas: the reports by verb, and the lines of standard error.
  static let names = [
    "plan", "merge", "verify", "status", "status-list", "list", "devices", "settle", "messages",
  ]

  let name: String

  /// The path of the schema file in the package.
  var path: String { PackageFolder.path("docs/schema/\(name)-1.json") }

  /// Returns the schema itself.
  func document() throws -> JSONValue {
    try JSONValue(parsing: String(contentsOfFile: path, encoding: .utf8))
  }

  /// Returns the errors that a widely used library finds in a document, one per line.
  func complaints(of text: String) throws -> [String] {
    try Self.complaints(of: [(name, text)])
  }

  /// Returns the errors of several documents, each checked against the schema of that name.
  static func complaints(of documents: [(schema: String, text: String)]) throws -> [String] {
    let python = try #require(Machine.pythonWithSchemas)
    let arguments = documents.flatMap { [JSONSchema(name: $0.schema).path, $0.text] }
    let result = try Program.run([python, "-c", script] + arguments)
    guard result.exitStatus == 0 else { throw SupportError(result.standardError) }
    return result.standardOutput.split(separator: "\n").map(String.init)
  }

  // A document that matches none of several forms gets the errors of each form.
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
  /// Checking documents against a schema needs python3 with jsonschema.
  static var needsJSONSchema: Self {
    .enabled("python3 has no jsonschema that knows draft 2020-12") {
      Machine.pythonWithSchemas != nil
    }
  }
}

extension Machine {
  /// The first python3 with the jsonschema library; Debian's starts faster than a wrapper.
  static let pythonWithSchemas: String? = ["/usr/bin/python3", "python3"].first { python in
    let probe = try? Program.run([python, "-c", "from jsonschema import Draft202012Validator"])
    return probe?.exitStatus == 0
  }
}
